// The services catalogue: edited as TOML, brought in from a spreadsheet, and put back to an earlier version.
import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api";
import { Field, Trouble, useDeed, useLanguage, useWords, when } from "../ui";
import { staffWords } from "../staff_words";

interface Version { version: number; by: string; at: string }

export function Catalogue() {
  const t = useWords();
  const language = useLanguage();
  const [now, setNow] = useState<{ version: number; toml: string } | null>(null);
  const [text, setText] = useState("");
  const [earlier, setEarlier] = useState<Version[]>([]);
  const [saved, setSaved] = useState(0);
  const [trouble, setTrouble] = useState<unknown>(null);
  const deed = useDeed();
  const load = () => {
    get<{ version: number; toml: string }>("/api/admin/catalogue").then((r) => { setNow(r); setText(r.toml); }, setTrouble);
    get<{ versions: Version[] }>("/api/admin/catalogue/versions").then((r) => setEarlier(r.versions), setTrouble);
  };
  useEffect(load, []);
  const put = (what: object) => deed.run(async () => { setSaved((await post<{ version: number }>("/api/admin/catalogue", what)).version); load(); });
  // It comes into the box above, to be looked at. Excel in China saves GB 18030.
  const read = (file: File) => deed.run(async () => {
    const bytes = await file.arrayBuffer();
    let csv: string;
    try { csv = new TextDecoder("utf-8", { fatal: true }).decode(bytes); } catch { csv = new TextDecoder("gb18030").decode(bytes); }
    setSaved(0);
    setText((await post<{ toml: string }>("/api/admin/catalogue/convert", { csv })).toml);
  });
  const fetchOne = (v: number) => deed.run(async () => { setText((await get<{ toml: string }>(`/api/admin/catalogue/versions/${v}`)).toml); });
  return (
    <>
      <Trouble what={trouble} />
      <form class="card" onSubmit={(e) => { e.preventDefault(); void put({ toml: text }); }}>
        <Field label={`TOML · ${t(staffWords.version)} ${now?.version ?? 0}`} value={text} onValue={setText} multiline rows={16} />
        <Trouble what={deed.trouble} />
        {saved > 0 && saved === now?.version && text === now.toml && <p role="status">{t(staffWords.inForce, { n: saved })}</p>}
        <button disabled={deed.busy || text === now?.toml}>{t("save")}</button>
        <div class="field"><label for="csv">{t(staffWords.importCsv)}</label><p class="hint">{t(staffWords.preview)}</p><p class="hint" id="csvhint">{t(staffWords.csvHint)}</p>
          <input id="csv" type="file" accept=".csv,text/csv" aria-describedby="csvhint" onChange={(e) => { const input = e.target as HTMLInputElement; const file = input.files?.[0]; if (file) void read(file).finally(() => { input.value = ""; }); }} /></div>
      </form>
      <section class="card"><h2>{t(staffWords.versions)}</h2>
        <ul class="list">{earlier.map((v) => <li key={v.version}>
          {v.version} · {when(v.at, language)} · {v.by} {v.version === now?.version ? <span class="tag">{t(staffWords.now)}</span>
            : <button type="button" class="plain" disabled={deed.busy} onClick={() => void fetchOne(v.version)}>{t(staffWords.fetchVersion, { n: v.version })}</button>}</li>)}</ul>
        <p class="hint">{t(staffWords.fetchHint)}</p>
      </section>
    </>
  );
}
