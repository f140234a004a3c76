// The resident's pages: /c/<cabinet> what can be handled, /case/<id> one case, /me all of them.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get, live, post, Refusal, trust, type Cabinet, type Case, type Notice, type Service } from "./api";
import { CasePage } from "./case";
import "./style.css";
import { Field, Frame, go, Heading, Link, plain, sentence, Trouble, useDeed, useLanguage, usePath, useWords, when } from "./ui";
import { states } from "./words";

interface Me { signed_in: boolean; csrf?: string; phone?: string }

const resendAfter = 60;  // seconds; the portal sends none sooner

function SignIn({ done, back }: { done: (me: Me) => void; back?: () => void }) {
  const t = useWords();
  const [phone, setPhone] = useState("");
  const [code, setCode] = useState("");
  const [to, setTo] = useState("");
  const [wait, setWait] = useState(0);
  const deed = useDeed();
  useEffect(() => {
    if (wait === 0) return undefined;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);
  const send = () => deed.run(async () => { setTo((await post<{ to: string }>("/api/sign-in/code", { phone })).to); setWait(resendAfter); });
  const enter = () => deed.run(async () => {
    const me = await post<{ csrf: string; phone: string }>("/api/sign-in", { phone, code });
    trust(me.csrf);
    done({ signed_in: true, csrf: me.csrf, phone: me.phone });
  });
  return (
    <form class="card" onSubmit={(e) => { e.preventDefault(); void (to ? enter() : send()); }}>
      <h2>{t("signIn")}</h2>
      <Field label={t("phone")} value={phone} onValue={(v) => { setPhone(plain(v)); setTo(""); setWait(0); }} type="tel" inputMode="tel" autocomplete="tel" maxLength={20} />
      {to && <p role="status">{t("codeSent", { to })}</p>}
      {to && <Field label={t("oneTimeCode")} value={code} onValue={(v) => setCode(plain(v).trim())} inputMode="numeric" autocomplete="one-time-code" maxLength={6} />}
      <Trouble what={deed.trouble} />
      {to ? <button disabled={deed.busy || code.length < 6}>{t("signIn")}</button> : <button disabled={deed.busy || phone.length < 8}>{t("sendCode")}</button>}
      {to && <button type="button" class="plain" disabled={deed.busy || wait > 0} onClick={() => void send()}>{wait > 0 ? t("sendAgainIn", { n: wait }) : t("sendCode")}</button>}
      {back && <button type="button" class="plain" onClick={back}>{t("back")}</button>}
    </form>
  );
}

function ServiceCard({ service, open, toggle, begin, busy }: { service: Service; open: boolean; toggle: () => void; begin: () => void; busy: boolean }) {
  const t = useWords();
  const note = t(service.note);
  return (
    <li class="card">
      <h3><button type="button" class="row" aria-expanded={open} onClick={toggle}>{t(service.name)}</button></h3>
      {open && <div>
        {note && <p>{note}</p>}
        {service.days > 0 && <p class="hint">{t("days", { n: service.days })}</p>}
        <p class="label">{t("papers")}</p>
        <ul class="papers">{service.papers.map((p) => <li key={p.zh}>{t(p)}<span class="tag">{t(p.original ? "original" : "copy")}</span></li>)}</ul>
        <button type="button" disabled={busy} onClick={begin}>{t("begin")}</button>
      </div>}
    </li>
  );
}

function CabinetPage({ id, me, signedIn }: { id: string; me: Me; signedIn: (me: Me) => void }) {
  const t = useWords();
  const [cabinet, setCabinet] = useState<Cabinet | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const [sought, setSought] = useState("");
  const [open, setOpen] = useState("");
  const [wanted, setWanted] = useState("");
  const [mine, setMine] = useState<Case[]>([]);
  const deed = useDeed();
  useEffect(() => {
    if (me.signed_in) get<{ cases: Case[] }>("/api/cases").then((r) => setMine(r.cases.filter((c) => c.cabinet === id && c.state !== "done" && c.state !== "cancelled")), () => undefined);
  }, [id, me.signed_in]);
  useEffect(() => { get<Cabinet>(`/api/cabinets/${id}`).then(setCabinet, setTrouble); }, [id]);
  const begin = (service: string) => deed.run(async () => {
    go(`/case/${(await post<Case>("/api/cases", { cabinet: id, service })).id}`);
  });
  const wish = (service: string) => { if (me.signed_in) void begin(service); else setWanted(service); };
  if (trouble) return <Trouble what={trouble} />;
  if (!cabinet) return <p>…</p>;
  const full = cabinet.online && cabinet.vacancies !== null && Object.values(cabinet.vacancies).every((n) => n === 0);
  const found = cabinet.services.filter((s) => `${s.name.zh} ${s.name.en} ${s.papers.map((p) => `${p.zh} ${p.en}`).join(" ")}`.toLowerCase().includes(sought.trim().toLowerCase()));
  return (
    <>
      <Heading>{cabinet.name}</Heading>
      <p>{cabinet.place}</p>
      {!cabinet.online && <p class="notice" role="status">{t("offline")}</p>}
      {full && <p class="notice" role="status">{t("full")}</p>}
      <ul class="list">{mine.map((c) => <li class="card" key={c.id}>
        <p class="label">{t(c.title)}</p>
        <p class={c.state === "ready" ? "state good" : "state"}>{t(states[c.state] ?? c.title)}{c.state === "ready" && c.deposit ? ` · ${t("doorN", { n: c.deposit.door })}` : ""}</p>
        <button type="button" onClick={() => go(`/case/${c.id}`)}>{t(c.state === "ready" ? "pickup" : "goOn")}</button></li>)}</ul>
      {me.signed_in && <p><Link to="/me">{t("mine")}</Link></p>}
      {wanted && !me.signed_in
        ? <SignIn done={(now) => { signedIn(now); void begin(wanted); }} back={() => setWanted("")} />
        : <>
          <h2>{t("services")}</h2>
          <Field label={t("search")} value={sought} onValue={setSought} type="search" />
          {found.length === 0 && <p role="status">{t("none")}</p>}
          <ul class="list">{found.map((s) => <ServiceCard key={s.id} service={s} busy={deed.busy} open={open === s.id} toggle={() => setOpen(open === s.id ? "" : s.id)} begin={() => wish(s.id)} />)}</ul>
        </>}
      <Trouble what={deed.trouble} />
      {!me.signed_in && !wanted && <button type="button" class="plain" onClick={() => go("/me")}>{t("signIn")} · {t("mine")}</button>}
      {cabinet.help && <p class="hint">{t("help")}: <a href={`tel:${cabinet.help}`}>{cabinet.help}</a></p>}
    </>
  );
}

function MyCases({ me, signedIn, signedOut }: { me: Me; signedIn: (me: Me) => void; signedOut: () => void }) {
  const t = useWords();
  const language = useLanguage();
  const [cases, setCases] = useState<Case[] | null>(null);
  const [notices, setNotices] = useState<Notice[]>([]);
  const [sure, setSure] = useState(false);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  useEffect(() => {
    if (!me.signed_in) return;
    get<{ cases: Case[] }>("/api/cases").then((r) => setCases(r.cases), setTrouble);
    get<{ notices: Notice[] }>("/api/inbox").then((r) => setNotices(r.notices), () => undefined);
  }, [me.signed_in]);
  if (!me.signed_in) return <><Heading>{t("mine")}</Heading><SignIn done={signedIn} /></>;
  return (
    <>
      <Heading>{t("mine")}</Heading>
      <p class="hint">{me.phone}</p>
      <Trouble what={trouble} />
      {cases?.length === 0 && <p>{t("noCases")}</p>}
      <ul class="list">{cases?.map((c) => (
        <li class="card" key={c.id}>
          <h2><Link to={`/case/${c.id}`}>{t(c.title)}</Link></h2>
          <p class={c.state === "ready" ? "state good" : "state"}>{t(states[c.state] ?? c.title)}</p>
          <p class="hint">{c.place} · {when(c.changed, language)}</p>
        </li>))}
      </ul>
      {notices.length > 0 && <section><h2>{t("inbox")}</h2><ul class="list">{notices.map((n) => (
        <li class="card" key={n.at + n.title}><p class="label">{n.title}</p><p>{n.text.split("\n")[language === "zh" ? 0 : 1]}</p><p class="hint">{when(n.at, language)}</p></li>))}
      </ul></section>}
      <section class="card">
        <h2>{t("myData")}</h2>
        <p><a href="/api/me/export" download>{t("exportData")}</a></p>
        {sure
          ? <button type="button" class="danger" disabled={deed.busy} onClick={() => void deed.run(async () => { await post("/api/me/forget"); signedOut(); })}>{t("forgetSure")}</button>
          : <button type="button" class="plain" onClick={() => setSure(true)}>{t("forget")}</button>}
        <Trouble what={deed.trouble} />
      </section>
      <button type="button" class="plain" onClick={() => void deed.run(async () => { await post("/api/sign-out"); signedOut(); })}>{t("signOut")}</button>
    </>
  );
}

function CaseView({ id, me, signedIn }: { id: string; me: Me; signedIn: (me: Me) => void }) {
  const t = useWords();
  const language = useLanguage();
  const [c, setCase] = useState<Case | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  useEffect(() => {
    if (!me.signed_in) return undefined;
    return live(`/api/cases/${id}/live`, (background) =>
      get<Case>(`/api/cases/${id}`, background).then((now) => { setCase(now); setTrouble(null); }, (e: unknown) => {
        if (e instanceof Refusal && e.status === 404) setCase(null);  // it is theirs no more
        setTrouble(e);
      }));
  }, [id, me.signed_in]);
  if (!me.signed_in) return <><Heading>{t("signIn")}</Heading><SignIn done={signedIn} /></>;
  if (!c && trouble) return <p class="trouble" role="alert">{trouble instanceof Refusal ? sentence(trouble.message, language) : ""}</p>;
  return c ? <CasePage c={c} changed={setCase} /> : <p>…</p>;
}

function NotFound() {
  const t = useWords();
  return <><Heading>{t("notFound")}</Heading><p>{t("notFoundHint")}</p><p><Link to="/me">{t("mine")}</Link></p></>;
}

function App() {
  const path = usePath();
  const [me, setMe] = useState<Me | null>(null);
  useEffect(() => {
    get<Me>("/api/me").then((now) => { if (now.csrf) trust(now.csrf); setMe(now); }, () => setMe({ signed_in: false }));
    const out = () => setMe({ signed_in: false });
    addEventListener("signedout", out);
    return () => removeEventListener("signedout", out);
  }, []);
  const cabinet = /^\/c\/([A-Za-z0-9_-]{1,64})\/?$/.exec(path)?.[1];
  const one = /^\/case\/([A-Za-z0-9_-]{1,64})$/.exec(path)?.[1];
  return (
    <Frame title="title" home={cabinet ? `/c/${cabinet}` : "/me"}>
      {cabinet ? <CabinetPage key={cabinet} id={cabinet} me={me ?? { signed_in: false }} signedIn={setMe} />
        : !me ? <p>…</p>
          : one ? <CaseView key={one} id={one} me={me} signedIn={setMe} />
            : path !== "/" && path !== "/me" ? <NotFound />
              : <MyCases me={me} signedIn={setMe} signedOut={() => setMe({ signed_in: false })} />}
    </Frame>
  );
}

const root = document.getElementById("app");
if (root) { root.textContent = ""; render(<App />, root); }
