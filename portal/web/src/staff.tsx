// Grid workers' and administrators' pages: /work the worklist, /work/<case>, /admin.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Admin } from "./admin";
import { get, live, post, Refusal, trust, type Case } from "./api";
import "./style.css";
import { Field, Frame, Heading, go, Qr, Trouble, useDeed, useLanguage, usePath, useWords, when } from "./ui";
import { entries, states, type Word } from "./words";

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
      <Field label={t("number")} value={number} onValue={setNumber} inputMode="numeric" autocomplete="username" maxLength={6} />
      <Field label={t("password")} value={password} onValue={setPassword} type="password" autocomplete="current-password" />
      <Field label={t("totp")} value={totp} onValue={setTotp} inputMode="numeric" autocomplete="one-time-code" maxLength={6} />
      <Trouble what={deed.trouble} />
      <button disabled={deed.busy || totp.length < 6}>{t("signIn")}</button>
    </form>
  );
}

function StaffCode({ cabinet }: { cabinet: string }) {
  const t = useWords();
  const [code, setCode] = useState<{ number: string; code: string; seconds: number; qr: string } | null>(null);
  const deed = useDeed();
  const show = () => deed.run(async () => { setCode(await post("/api/work/staff-code", { cabinet })); });
  useEffect(() => {
    if (!code) return undefined;
    const timer = setTimeout(() => void show(), code.seconds * 1000);
    return () => clearTimeout(timer);
  }, [code]);
  return (
    <section class="card">
      <h2>{t("staffCode")}</h2>
      {code ? <><p class="code" role="status">{code.number} # {code.code} #</p><p>{t("staffCodeHint")}</p><Qr svg={code.qr} alt={t("staffCode")} /></>
        : <button type="button" disabled={deed.busy} onClick={() => void show()}>{t("staffCode")}</button>}
      <Trouble what={deed.trouble} />
    </section>
  );
}

function Worklist({ me }: { me: Me }) {
  const t = useWords();
  const language = useLanguage();
  const [cabinet, setCabinet] = useState("");
  const [work, setWork] = useState<{ cases: Case[]; troubles: Alarm[] } | null>(null);
  useEffect(() => {
    const load = () => { get<{ cases: Case[]; troubles: Alarm[] }>(`/api/work?cabinet=${cabinet}`).then(setWork, () => undefined); };
    load();
    return live("/api/work/live", load);
  }, [cabinet]);
  return (
    <>
      <Heading>{t("worklist")}</Heading>
      <div class="field"><label for="cabinet">{t("cabinets")}</label>
        <select id="cabinet" value={cabinet} onChange={(e) => setCabinet((e.target as HTMLSelectElement).value)}>
          <option value="">{t("allCabinets")}</option>
          {me.cabinets?.map((c) => <option key={c.id} value={c.id}>{c.name}{c.online ? "" : ` · ${t("cabinetOffline")}`}</option>)}
        </select></div>
      {work?.cases.length === 0 && <p role="status">{t("nothingWaits")}</p>}
      <ul class="list">{work?.cases.map((c) => (
        <li class="card" key={c.id}>
          <h2><a href={`/work/${c.id}`} onClick={(e) => { e.preventDefault(); go(`/work/${c.id}`); }}>{t(c.title)}</a></h2>
          <p class="state">{t(states[c.state] ?? c.title)}
            {c.unconfirmed && <span class="tag warn">{t("unconfirmed")}</span>}{c.overdue && <span class="tag warn">{t("overdue")}</span>}</p>
          <p class="hint">{c.place}{c.deposit && c.deposit.door > 0 ? ` · ${t("doorN", { n: c.deposit.door })}` : ""} · {when(c.changed, language)}</p>
        </li>))}
      </ul>
      {work && work.troubles.length > 0 && <section><h2>{t("troubles")}</h2><ul class="list">{work.troubles.map((a) => (
        <li class="card" key={a.cabinet + a.kind}><p class="label">{a.place} · {a.kind === "offline" ? t("cabinetOffline") : a.kind}</p>{a.meaning && <p>{a.meaning}</p>}{a.action && <p class="hint">{a.action}</p>}</li>))}
      </ul></section>}
      {(cabinet || me.cabinets?.length === 1) && <StaffCode key={cabinet} cabinet={cabinet || (me.cabinets?.[0]?.id ?? "")} />}
    </>
  );
}

function OpenDoor({ c, changed, label }: { c: Case; changed: (c: Case) => void; label: Word }) {
  const t = useWords();
  const [size, setSize] = useState("");
  const [slip, setSlip] = useState<{ qr: string; seconds: number } | null>(null);
  const deed = useDeed();
  const open = () => deed.run(async () => {
    try { changed((await post<{ case: Case }>(`/api/work/${c.id}/open`, { size })).case); }
    catch (e) { if (e instanceof Refusal && e.body.case) changed(e.body.case as Case); throw e; }
  });
  const show = () => deed.run(async () => { setSlip(await post(`/api/work/${c.id}/slip`, { size })); });
  return (
    <div>
      {label === "putBack" && <fieldset><legend>{t("size")}</legend>{(["S", "M", "L"] as const).map((s) => <label class="choice" key={s}><input type="radio" name="size" value={s} checked={size === s} onChange={() => setSize(s)} />{t(s)}</label>)}</fieldset>}
      <button type="button" disabled={deed.busy || !c.online} onClick={() => void open()}>{t(deed.busy ? "opening" : label)}</button>
      <button type="button" class="plain" disabled={deed.busy} onClick={() => void show()}>{t("takeSlip")}</button>
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
        <Field label={t("review")} value={note} onValue={setNote} multiline />
        <button disabled={deed.busy || note === ""}>{t("addNote")}</button>
      </form>
      <div class="card"><h2>{t("putBack")}</h2><OpenDoor c={c} changed={changed} label="putBack" /></div>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void say("ask", { papers: papers.split("\n").map((p) => p.trim()).filter((p) => p), note: why }); }}>
        <h2>{t("ask")}</h2>
        <Field label={t("papers")} hint={t("askHint")} value={papers} onValue={setPapers} multiline />
        <Field label={t("note")} value={why} onValue={setWhy} />
        <button disabled={deed.busy || papers.trim() === ""}>{t("ask")}</button>
      </form>
      <div class="card"><button type="button" class="plain" disabled={deed.busy} onClick={() => void say("counter", { note: why })}>{t("counter")}</button></div>
      <Trouble what={deed.trouble} />
    </section>
  );
}

function WorkCase({ id }: { id: string }) {
  const t = useWords();
  const language = useLanguage();
  const [c, setCase] = useState<Case | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  useEffect(() => {
    const load = () => { get<Case>(`/api/work/${id}`).then(setCase, setTrouble); };
    load();
    return live("/api/work/live", load);
  }, [id]);
  if (!c) return <Trouble what={trouble} />;
  const d = c.deposit;
  const open = d?.door_state === "open";
  const say = (what: string) => deed.run(async () => { setCase(await post<Case>(`/api/work/${c.id}/${what}`)); });
  const returning = d !== null && d.kind === "return" && (["reserved", "deposited"].includes(d.state) || (d.state === "asked" && !c.online));
  return (
    <>
      <Heading>{t(c.title)}</Heading>
      <p class="hint">{c.place} · {c.phone || t("noPhone")}</p>
      <p class="state" role="status">{t(states[c.state] ?? c.title)}</p>
      {d && d.door > 0 && c.state !== "done" && <div class={open ? "door open" : "door"} role="status"><p class="doornumber"><span>{t("door")}</span> <strong>{d.door}</strong></p><p>{t(open ? "doorOpen" : d.door_state === "closed" ? "doorShut" : "doorUnknown")}</p></div>}
      {(c.state === "submitted" || c.state === "papers_in") && <OpenDoor c={c} changed={setCase} label="take" />}
      {c.state === "with_staff" && !returning && <Review c={c} changed={setCase} />}
      {returning && <div class="card">
        {d.said_deposited ? <p role="status">{t("depositedWaits")}</p> : <button type="button" disabled={deed.busy || open} onClick={() => void say("confirm")}>{t("returned")}</button>}
        <OpenDoor c={c} changed={setCase} label="openAgain" /></div>}
      {c.state === "at_counter" && <button type="button" disabled={deed.busy} onClick={() => void say("hand-over")}>{t("handedOver")}</button>}
      <Trouble what={deed.trouble} />
      <section><h2>{t("history")}</h2><ol class="history">{(c.history ?? []).map((h) => <li key={h.at + h.what}><span class="hint">{when(h.at, language)}</span> {entries[h.what] ? t(entries[h.what]!) : h.what}{h.note && ` — ${h.note}`}</li>)}</ol></section>
      <p><a href="/work" onClick={(e) => { e.preventDefault(); go("/work"); }}>{t("worklist")}</a></p>
    </>
  );
}

function App() {
  const path = usePath();
  const [me, setMe] = useState<Me | null>(null);
  const look = () => { get<Me>("/api/staff/me").then((now) => { if (now.csrf) trust(now.csrf); setMe(now); }, () => setMe({ signed_in: false })); };
  useEffect(look, []);
  return (
    <Frame title="staffTitle" home="/work">
      {!me ? <p>…</p> : !me.signed_in ? <SignIn done={look} /> : <Inside me={me} path={path} out={() => void post("/api/staff/sign-out").then(look, look)} />}
    </Frame>
  );
}

function Inside({ me, path, out }: { me: Me; path: string; out: () => void }) {
  const t = useWords();
  const one = /^\/work\/([A-Za-z0-9_-]{1,64})$/.exec(path)?.[1];
  const link = (to: string, word: Word) => <a href={to} aria-current={path.startsWith(to) ? "page" : undefined} onClick={(e) => { e.preventDefault(); go(to); }}>{t(word)}</a>;
  return (
    <>
      <nav>{link("/work", "worklist")}{me.role === "admin" && link("/admin", "admin")}<span class="hint">{me.name} {me.number}</span><button type="button" class="plain" onClick={out}>{t("signOut")}</button></nav>
      {path.startsWith("/admin") && me.role === "admin" ? <Admin /> : one ? <WorkCase key={one} id={one} /> : <Worklist me={me} />}
    </>
  );
}

const root = document.getElementById("app");
if (root) { root.textContent = ""; render(<App />, root); }
