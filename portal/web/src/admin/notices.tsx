// Notices: their words, and those that did not arrive.
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api";
import { Field, Trouble, useDeed, useLanguage, useWords, when } from "../ui";
import { staffWords } from "../staff_words";

interface Template { name: string; title: string; zh: string; en: string }
interface Failed { id: number; at: string; channel: string; title: string; to: string; attempts: number }

function Templates() {
  const t = useWords();
  const [list, setList] = useState<Template[]>([]);
  const [open, setOpen] = useState<Template | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  const load = () => { get<{ templates: Template[] }>("/api/admin/templates").then((r) => setList(r.templates), setTrouble); };
  useEffect(load, []);
  return (
    <section><h2>{t(staffWords.templates)}</h2>
      <Trouble what={trouble} />
      <ul class="list">{list.map((one) => <li class="card" key={one.name}>
        <h3><button type="button" class="row" aria-expanded={open?.name === one.name} onClick={() => setOpen(open?.name === one.name ? null : one)}>{one.title} <span class="tag">{one.name}</span></button></h3>
        {open?.name === one.name && <form onSubmit={(e) => { e.preventDefault(); void deed.run(async () => { await post("/api/admin/templates", open); setOpen(null); load(); }); }}>
          <Field label={t(staffWords.name)} value={open.title} onValue={(title) => setOpen({ ...open, title })} />
          <Field label="中文" value={open.zh} onValue={(zh) => setOpen({ ...open, zh })} multiline />
          <Field label="English" value={open.en} onValue={(en) => setOpen({ ...open, en })} multiline />
          <Trouble what={deed.trouble} />
          <button disabled={deed.busy}>{t("save")}</button>
        </form>}
      </li>)}</ul>
    </section>
  );
}

function DidNotArrive() {
  const t = useWords();
  const language = useLanguage();
  const [list, setList] = useState<Failed[] | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  const load = () => { get<{ failed: Failed[] }>("/api/admin/notices").then((r) => setList(r.failed), setTrouble); };
  useEffect(load, []);
  return (
    <section><h2>{t(staffWords.failedNotices)}</h2>
      <Trouble what={trouble} />
      {list?.length === 0 && <p>{t(staffWords.noFailed)}</p>}
      <ul class="list">{list?.map((n) => <li class="card" key={n.id}>
        <p class="label">{n.title} → {n.to}</p><p class="hint">{n.channel} · {when(n.at, language)} · {t(staffWords.attemptsN, { n: n.attempts })}</p>
        <button type="button" class="plain" disabled={deed.busy} onClick={() => void deed.run(async () => { await post("/api/admin/notices/resend", { id: n.id }); load(); })}>{t(staffWords.sendAgain)}</button>
      </li>)}</ul>
      <Trouble what={deed.trouble} />
    </section>
  );
}

export function Notices() {
  return <><DidNotArrive /><Templates /></>;
}
