// Administration: cabinets, staff, catalogue, who looked at what.
import { useEffect, useState } from "preact/hooks";
import { get, post } from "./api";
import { Field, Heading, Trouble, useDeed, useLanguage, useWords, when } from "./ui";

interface Place { id: string; name: string; place: string; online: boolean; alarms: number }
interface Staff { number: string; name: string; role: string; cabinets: string[]; active: boolean }

function Cabinets() {
  const t = useWords();
  const [list, setList] = useState<Place[]>([]);
  const [wish, setWish] = useState({ id: "", name: "", place: "", help: "" });
  const [made, setMade] = useState<{ bundle: object; broker_account: string; acl: string } | null>(null);
  const deed = useDeed();
  const load = () => { get<{ cabinets: Place[] }>("/api/admin/cabinets").then((r) => setList(r.cabinets), () => undefined); };
  useEffect(load, []);
  const field = (key: keyof typeof wish, label: string) => <Field label={label} value={wish[key]} onValue={(v) => setWish({ ...wish, [key]: v })} />;
  return (
    <section>
      <h2>{t("cabinets")}</h2>
      <table><thead><tr><th scope="col">{t("id")}</th><th scope="col">{t("name")}</th><th scope="col">{t("place")}</th><th scope="col">{t("onlineOrNot")}</th></tr></thead>
        <tbody>{list.map((c) => <tr key={c.id}><td><a href={`/c/${c.id}`}>{c.id}</a></td><td>{c.name}</td><td>{c.place}</td><td>{t(c.online ? "online" : "cabinetOffline")}</td></tr>)}</tbody></table>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { setMade(await post("/api/admin/cabinets", wish)); load(); }); }}>
        <h3>{t("enrol")}</h3>
        {field("id", t("id"))}{field("name", t("name"))}{field("place", t("place"))}{field("help", t("help"))}
        <Trouble what={deed.trouble} />
        <button disabled={deed.busy || !wish.id || !wish.name}>{t("enrol")}</button>
      </form>
      {made && <div class="card" role="status"><p>{t("enrolled")}</p><pre tabIndex={0}>{JSON.stringify(made.bundle, null, 1)}{"\n\n"}{made.broker_account}{"\n\n"}{made.acl}</pre></div>}
    </section>
  );
}

function People() {
  const t = useWords();
  const [list, setList] = useState<Staff[]>([]);
  const [wish, setWish] = useState({ number: "", name: "", password: "", role: "worker" });
  const [totp, setTotp] = useState("");
  const deed = useDeed();
  const load = () => { get<{ staff: Staff[] }>("/api/admin/staff").then((r) => setList(r.staff), () => undefined); };
  useEffect(load, []);
  const change = (s: Staff, suspended: boolean) => deed.run(async () => { await post("/api/admin/staff/change", { ...s, suspended }); load(); });
  return (
    <section>
      <h2>{t("staff")}</h2>
      <table><thead><tr><th scope="col">{t("number")}</th><th scope="col">{t("name")}</th><th scope="col">{t("role")}</th><th scope="col">{t("action")}</th></tr></thead>
        <tbody>{list.map((s) => <tr key={s.number}><td>{s.number}</td><td>{s.name}</td><td>{t(s.role === "admin" ? "adminRole" : "worker")}</td>
          <td><button type="button" class="plain" disabled={deed.busy} onClick={() => void change(s, s.active)}>{t(s.active ? "suspendStaff" : "restoreStaff")}</button></td></tr>)}</tbody></table>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { setTotp((await post<{ totp: string }>("/api/admin/staff", wish)).totp); setWish({ number: "", name: "", password: "", role: "worker" }); load(); }); }}>
        <h3>{t("addStaff")}</h3>
        <Field label={t("number")} value={wish.number} onValue={(number) => setWish({ ...wish, number })} inputMode="numeric" maxLength={6} />
        <Field label={t("name")} value={wish.name} onValue={(name) => setWish({ ...wish, name })} />
        <Field label={t("password")} value={wish.password} onValue={(password) => setWish({ ...wish, password })} type="password" autocomplete="new-password" />
        <div class="field"><label for="role">{t("role")}</label><select id="role" value={wish.role} onChange={(e) => setWish({ ...wish, role: (e.target as HTMLSelectElement).value })}><option value="worker">{t("worker")}</option><option value="admin">{t("adminRole")}</option></select></div>
        <Trouble what={deed.trouble} />
        <button disabled={deed.busy || wish.number.length < 4}>{t("addStaff")}</button>
        {totp && <p role="status">{t("totpSecret")}: <code>{totp}</code></p>}
      </form>
    </section>
  );
}

function Catalogue() {
  const t = useWords();
  const [now, setNow] = useState<{ version: number; toml: string } | null>(null);
  const [text, setText] = useState("");
  const deed = useDeed();
  const load = () => { get<{ version: number; toml: string }>("/api/admin/catalogue").then((r) => { setNow(r); setText(r.toml); }, () => undefined); };
  useEffect(load, []);
  return (
    <section><h2>{t("catalogue")}</h2>
      <form class="card" onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { await post("/api/admin/catalogue", { toml: text }); load(); }); }}>
        <Field label={`TOML · ${t("version")} ${now?.version ?? 0}`} value={text} onValue={setText} multiline />
        <Trouble what={deed.trouble} />
        <button disabled={deed.busy || text === now?.toml}>{t("save")}</button>
        <div class="field"><label for="csv">{t("importCsv")}</label>
          <input id="csv" type="file" accept=".csv,text/csv" onChange={(e) => { const file = (e.target as HTMLInputElement).files?.[0]; if (file) void deed.run(async () => { await post("/api/admin/catalogue", { csv: await file.text() }); load(); }); }} /></div>
      </form>
    </section>
  );
}

interface Template { name: string; title: string; zh: string; en: string }

function Templates() {
  const t = useWords();
  const [list, setList] = useState<Template[]>([]);
  const [open, setOpen] = useState<Template | null>(null);
  const deed = useDeed();
  const load = () => { get<{ templates: Template[] }>("/api/admin/templates").then((r) => setList(r.templates), () => undefined); };
  useEffect(load, []);
  return (
    <section><h2>{t("templates")}</h2>
      <ul class="list">{list.map((one) => <li class="card" key={one.name}>
        <h3><button type="button" class="row" aria-expanded={open?.name === one.name} onClick={() => setOpen(open?.name === one.name ? null : one)}>{one.title}</button></h3>
        {open?.name === one.name && <form onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { await post("/api/admin/templates", open); setOpen(null); load(); }); }}>
          <Field label={t("name")} value={open.title} onValue={(title) => setOpen({ ...open, title })} />
          <Field label="中文" value={open.zh} onValue={(zh) => setOpen({ ...open, zh })} multiline />
          <Field label="English" value={open.en} onValue={(en) => setOpen({ ...open, en })} multiline />
          <Trouble what={deed.trouble} />
          <button disabled={deed.busy}>{t("save")}</button>
        </form>}
      </li>)}</ul>
    </section>
  );
}

function Audit() {
  const t = useWords();
  const language = useLanguage();
  const [rows, setRows] = useState<{ at: string; who: string; what: string; whom: string }[]>([]);
  useEffect(() => { get<{ audit: typeof rows }>("/api/admin/audit").then((r) => setRows(r.audit), () => undefined); }, []);
  return (
    <section><h2>{t("audit")}</h2>
      <ul class="history">{rows.map((r, i) => <li key={i}><span class="hint">{when(r.at, language)}</span> {r.who} · {r.what}{r.whom && ` · ${r.whom}`}</li>)}</ul>
    </section>
  );
}

export function Admin() {
  const t = useWords();
  return <><Heading>{t("admin")}</Heading><Cabinets /><People /><Catalogue /><Templates /><Audit /></>;
}
