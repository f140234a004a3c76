// How long what is kept is kept, and who looked at what.
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api";
import { Field, Trouble, useDeed, useLanguage, useWords, when } from "../ui";
import { staffWords } from "../staff_words";

function Retention() {
  const t = useWords();
  const [cases, setCases] = useState("");
  const [audit, setAudit] = useState("");
  const [saved, setSaved] = useState(false);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  useEffect(() => {
    get<{ cases_days: number; audit_days: number }>("/api/admin/retention").then((r) => { setCases(String(r.cases_days)); setAudit(String(r.audit_days)); }, setTrouble);
  }, []);
  const save = () => deed.run(async () => { setSaved(false); await post("/api/admin/retention", { cases_days: Number(cases), audit_days: Number(audit) }); setSaved(true); });
  return (
    <form class="card" onSubmit={(e) => { e.preventDefault(); void save(); }}>
      <h2>{t(staffWords.retention)}</h2>
      <Trouble what={trouble} />
      <Field label={t(staffWords.keepCases)} hint={t(staffWords.keepCasesHint)} value={cases} onValue={setCases} inputMode="numeric" maxLength={4} />
      <Field label={t(staffWords.keepAudit)} value={audit} onValue={setAudit} inputMode="numeric" maxLength={4} />
      <Trouble what={deed.trouble} />
      {saved && <p role="status">{t(staffWords.saved)}</p>}
      <button disabled={deed.busy || !cases || !audit}>{t("save")}</button>
    </form>
  );
}

function Audit() {
  const t = useWords();
  const language = useLanguage();
  const [rows, setRows] = useState<{ at: string; who: string; what: string; whom: string }[]>([]);
  const [trouble, setTrouble] = useState<unknown>(null);
  useEffect(() => { get<{ audit: typeof rows }>("/api/admin/audit").then((r) => setRows(r.audit), setTrouble); }, []);
  return (
    <section><h2>{t(staffWords.audit)}</h2>
      <Trouble what={trouble} />
      <ul class="history">{rows.map((r, i) => <li key={i}><span class="hint">{when(r.at, language)}</span> {r.who} · {r.what}{r.whom && ` · ${r.whom}`}</li>)}</ul>
    </section>
  );
}

export function Privacy() {
  return <><Retention /><Audit /></>;
}
