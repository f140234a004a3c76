// Grid workers' and administrators' pages: /work the worklist, /work/<case>, /admin.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Admin } from "./admin";
import { get, live, post, Refusal, trust, type Case, type Notice, type Words } from "./api";
import { Approvals, Twice, type RemoteOpening } from "./remote";
import "./style.css";
import { Field, Frame, Heading, History, Link, Papers, plain, Qr, Size, Trouble, useDeed, useForAWhile, useLanguage, usePath, useWords, when } from "./ui";
import { opsWords } from "./ops/words";
import { alarms, staffWords } from "./staff_words";
import { states, type Word } from "./words";

interface Place { id: string; name: string; online: boolean }
interface Me { signed_in: boolean; csrf?: string; number?: string; name?: string; role?: string; cabinets?: Place[] }
interface Alarm { cabinet: string; place: string; kind: string; meaning?: string; action?: string }

function SignIn({ done }: { done: () => void }) {
  const t = useWords();
  const [number, setNumber] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const deed = useDeed();
  return (
    <form class="card" onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { trust((await post<{ csrf: string }>("/api/staff/sign-in", { number, password, totp })).csrf); done(); }); }}>
      <Heading>{t("signIn")}</Heading>
      <Field label={t(staffWords.number)} value={number} onValue={(v) => setNumber(plain(v))} inputMode="numeric" autocomplete="username" maxLength={6} />
      <Field label={t(staffWords.password)} value={password} onValue={setPassword} type="password" autocomplete="current-password" />
      <Field label={t(staffWords.totp)} value={totp} onValue={(v) => setTotp(plain(v).trim())} inputMode="numeric" autocomplete="one-time-code" maxLength={6} />
      <Trouble what={deed.trouble} />
      <button disabled={deed.busy || totp.length < 6}>{t("signIn")}</button>
    </form>
  );
}

function StaffCode({ cabinet }: { cabinet: string }) {
  const t = useWords();
  const [code, setCode] = useState<{ number: string; code: string; seconds: number; qr: string } | null>(null);
  const deed = useDeed();
  const [rounds, setRounds] = useState(0);
  const show = (round: number) => deed.run(async () => { setCode(await post("/api/work/staff-code", { cabinet })); setRounds(round); });
  useEffect(() => {
    if (!code) return undefined;
    // A desk that was left does not go on showing codes.
    const timer = setTimeout(() => { if (rounds < 5) void show(rounds + 1); else setCode(null); }, code.seconds * 1000);
    return () => clearTimeout(timer);
  }, [code]);
  return (
    <section class="card">
      <h2>{t(staffWords.staffCode)}</h2>
      {code ? <><p class="code" role="status">{code.number} # {code.code} #</p><p>{t(staffWords.staffCodeHint)}</p><Qr svg={code.qr} alt={t(staffWords.staffCode)} /></>
        : <button type="button" disabled={deed.busy} onClick={() => void show(1)}>{t(staffWords.staffCode)}</button>}
      <Trouble what={deed.trouble} />
    </section>
  );
}

// An alarm by its kind, "jammed/3" say, in the reader's language; one that we do not know as the cabinet words it.
function AlarmText({ alarm }: { alarm: Alarm }) {
  const t = useWords();
  const [kind = "", about] = alarm.kind.split("/");
  const known = alarms[kind];
  return <>
    <p class="label">{alarm.place}{about && /^\d+$/.test(about) ? ` · ${t("doorN", { n: about })}` : about ? ` · ${about}` : ""} · {known ? t(known.what) : alarm.kind}</p>
    <p>{known ? t(known.action) : `${alarm.meaning ?? ""} ${alarm.action ?? ""}`}</p>
  </>;
}

function Worklist({ me }: { me: Me }) {
  const t = useWords();
  const language = useLanguage();
  const [cabinet, setCabinet] = useState("");
  const [work, setWork] = useState<{ cases: Case[]; more: boolean; troubles: Alarm[] } | null>(null);
  const [notices, setNotices] = useState<Notice[]>([]);
  const [openings, setOpenings] = useState<RemoteOpening[]>([]);
  const lookAtOpenings = (background: boolean) => get<{ openings: RemoteOpening[] }>("/api/ops/openings", background).then((r) => setOpenings(r.openings), () => undefined);
  const [trouble, setTrouble] = useState<unknown>(null);
  useEffect(() => {
    return live("/api/work/live", async (background) => {
      await get<typeof work>(`/api/work?cabinet=${cabinet}`, background).then((now) => { setWork(now); setTrouble(null); }, setTrouble);
      await get<{ notices: Notice[] }>("/api/work/inbox", background).then((r) => setNotices(r.notices), () => undefined);
      await lookAtOpenings(background);
    });
  }, [cabinet]);
  return (
    <>
      <Heading>{t(staffWords.worklist)}</Heading>
      <Approvals list={openings} names={(id) => me.cabinets?.find((c) => c.id === id)?.name ?? id} changed={() => void lookAtOpenings(false)} />
      <div class="field"><label for="cabinet">{t(staffWords.cabinets)}</label>
        <select id="cabinet" value={cabinet} onChange={(e) => setCabinet((e.target as HTMLSelectElement).value)}>
          <option value="">{t(staffWords.allCabinets)}</option>
          {me.cabinets?.map((c) => <option key={c.id} value={c.id}>{c.name}{c.online ? "" : ` · ${t(staffWords.cabinetOffline)}`}</option>)}
        </select></div>
      <Trouble what={trouble} />
      {work?.cases.length === 0 && <p role="status">{t(staffWords.nothingWaits)}</p>}
      <ul class="list">{work?.cases.map((c) => (
        <li class="card" key={c.id}>
          <h2><Link to={`/work/${c.id}`}>{t(c.title)}</Link></h2>
          <p class="state">{t(states[c.state] ?? c.title)}
            {c.unconfirmed && <span class="tag warn">{t(staffWords.unconfirmed)}</span>}{c.overdue && <span class="tag warn">{t(staffWords.overdue)}</span>}</p>
          <p class="hint">{c.place}{c.deposit && c.deposit.door > 0 ? ` · ${t("doorN", { n: c.deposit.door })}` : ""} · {when(c.changed, language)}</p>
        </li>))}
      </ul>
      {work?.more && <p class="hint">{t(staffWords.moreWork)}</p>}
      {work && work.troubles.length > 0 && <section><h2>{t(staffWords.troubles)}</h2><ul class="list">{work.troubles.map((a) => (
        <li class="card" key={a.cabinet + a.kind}><AlarmText alarm={a} /></li>))}
      </ul></section>}
      {notices.length > 0 && <section><h2>{t("inbox")}</h2><ul class="list">{notices.slice(0, 10).map((n) => (
        <li class="card" key={n.at + n.title}><p class="label">{n.title}</p><p>{n.text.split("\n")[language === "zh" ? 0 : 1]}</p><p class="hint">{when(n.at, language)}</p></li>))}
      </ul></section>}
      {(cabinet || me.cabinets?.length === 1) && <StaffCode key={cabinet} cabinet={cabinet || (me.cabinets?.[0]?.id ?? "")} />}
    </>
  );
}

function OpenDoor({ c, changed, label, choose, back }: { c: Case; changed: (c: Case) => void; label: Word | Words; choose?: boolean; back?: boolean }) {
  const t = useWords();
  const [size, setSize] = useState(c.size ?? "");
  const [slip, setSlip] = useForAWhile<{ qr: string; seconds: number }>();
  const deed = useDeed();
  const open = () => deed.run(async () => {
    try { changed((await post<{ case: Case }>(`/api/work/${c.id}/open`, { size, back: back ?? false })).case); }
    catch (e) { if (e instanceof Refusal && e.body.case) changed(e.body.case as Case); throw e; }
  });
  const show = () => deed.run(async () => { setSlip(await post(`/api/work/${c.id}/slip`, { size, back: back ?? false })); });
  return (
    <div>
      {choose && <Size size={size} choose={setSize} />}
      <Twice label={deed.busy ? "opening" : label} sure={staffWords.sureAtDoor} plain={back} disabled={deed.busy || !c.online} then={() => void open()} />
      <button type="button" class="plain" disabled={deed.busy} onClick={() => void show()}>{t(staffWords.takeSlip)}</button>
      <Trouble what={deed.trouble} />
      {slip && <div class="card"><p>{t("slipHint", { n: Math.round(slip.seconds / 60) })}</p><Qr svg={slip.qr} alt={t("slip")} /></div>}
    </div>
  );
}

function Review({ c, changed }: { c: Case; changed: (c: Case) => void }) {
  const t = useWords();
  const [note, setNote] = useState("");
  const [papers, setPapers] = useState("");
  const [why, setWhy] = useState("");
  const deed = useDeed();
  const say = (what: string, body: object, then: () => void = () => undefined) => deed.run(async () => { changed(await post<Case>(`/api/work/${c.id}/${what}`, body)); then(); });
  return (
    <section>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void say("review", { note }, () => setNote("")); }}>
        <Field label={t(staffWords.review)} value={note} onValue={setNote} multiline />
        <button disabled={deed.busy || note === ""}>{t(staffWords.addNote)}</button>
      </form>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void say("ask", { papers: papers.split("\n").map((p) => p.trim()).filter((p) => p), note: why }); }}>
        <h2>{t(staffWords.ask)}</h2>
        <Field label={t("papers")} hint={t(staffWords.askHint)} value={papers} onValue={setPapers} multiline />
        <Field label={t("note")} value={why} onValue={setWhy} />
        <button disabled={deed.busy || papers.trim() === ""}>{t(staffWords.ask)}</button>
      </form>
      <div class="card"><Twice plain label={staffWords.counter} sure={staffWords.sureCounter} disabled={deed.busy} then={() => void say("counter", { note: why })} /></div>
      <Trouble what={deed.trouble} />
    </section>
  );
}

function WorkCase({ id }: { id: string }) {
  const t = useWords();
  const [c, setCase] = useState<Case | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  useEffect(() => {
    return live("/api/work/live", (background) => get<Case>(`/api/work/${id}`, background).then(setCase, setTrouble));
  }, [id]);
  if (!c) return <Trouble what={trouble} />;
  const d = c.deposit;
  const open = d?.door_state === "open";
  const say = (what: string) => deed.run(async () => { setCase(await post<Case>(`/api/work/${c.id}/${what}`)); });
  const returning = d !== null && d.kind === "return" && (["reserved", "deposited"].includes(d.state) || (d.state === "asked" && !c.online));
  return (
    <>
      <Heading>{t(c.title)}</Heading>
      <p class="hint">{c.place} · {c.phone || t(staffWords.noPhone)}</p>
      <p class="state" role="status">{t(states[c.state] ?? c.title)}</p>
      {d && d.door > 0 && ["reserved", "deposited", "confirmed"].includes(d.state) && <div class={open ? "door open" : "door"} role="status"><p class="doornumber"><span>{t("door")}</span> <strong>{d.door}</strong></p><p>{t(open ? (d.kind === "intake" ? "doorOpenTake" : "doorOpen") : d.door_state === "closed" ? "doorShut" : "doorUnknown")}</p></div>}
      {(c.state === "submitted" || c.state === "papers_in") && <OpenDoor c={c} changed={setCase} label={staffWords.take} />}
      {(["with_staff", "asked", "at_counter"].includes(c.state) || returning) && <div class="card"><h2>{t(staffWords.putBack)}</h2>
        {returning && (d.said_deposited ? <p role="status">{t("depositedWaits")}</p> : <button type="button" disabled={deed.busy || open} onClick={() => void say("confirm")}>{t(staffWords.returned)}</button>)}
        <OpenDoor c={c} changed={setCase} label={returning ? "openAgain" : staffWords.putBack} choose={!returning} /></div>}
      {(c.state === "returning" || c.state === "ready") && d && ["deposited", "confirmed"].includes(d.state) && <OpenDoor c={c} changed={setCase} label={staffWords.takeBack} back />}
      {c.state === "with_staff" && !returning && <Review c={c} changed={setCase} />}
      {c.state === "at_counter" && !returning && <Twice label={staffWords.handedOver} sure={staffWords.sureHandedOver} disabled={deed.busy} then={() => void say("hand-over")} />}
      <Trouble what={deed.trouble} />
      <Papers list={c.papers} />
      <History list={c.history ?? []} />
      <p><Link to="/work">{t(staffWords.worklist)}</Link></p>
    </>
  );
}

function App() {
  const path = usePath();
  const [me, setMe] = useState<Me | null>(null);
  const look = () => { get<Me>("/api/staff/me").then((now) => { if (now.csrf) trust(now.csrf); setMe(now); }, () => setMe({ signed_in: false })); };
  useEffect(() => {
    look();
    const out = () => setMe({ signed_in: false });
    addEventListener("signedout", out);
    return () => removeEventListener("signedout", out);
  }, []);
  return (
    <Frame title="staffTitle" home="/work">
      {!me ? <p>…</p> : !me.signed_in ? <SignIn done={look} /> : <Inside me={me} path={path} out={() => void post("/api/staff/sign-out").then(look, look)} />}
    </Frame>
  );
}

function Inside({ me, path, out }: { me: Me; path: string; out: () => void }) {
  const t = useWords();
  const one = /^\/work\/([A-Za-z0-9_-]{1,64})$/.exec(path)?.[1];
  const link = (to: string, word: Words) => <Link to={to} current={path.startsWith(to)}>{t(word)}</Link>;
  return (
    <>
      <nav aria-label={t("staffTitle")}>{link("/work", staffWords.worklist)}{me.role === "admin" && link("/admin", staffWords.admin)}{me.role === "admin" && <a href="/ops/">{t(opsWords.title)}</a>}<span class="hint">{me.name} {me.number}</span><button type="button" class="plain" onClick={out}>{t("signOut")}</button></nav>
      {path.startsWith("/admin") && me.role === "admin" ? <Admin /> : one ? <WorkCase key={one} id={one} /> : <Worklist me={me} />}
    </>
  );
}

const root = document.getElementById("app");
if (root) { root.textContent = ""; render(<App />, root); }
