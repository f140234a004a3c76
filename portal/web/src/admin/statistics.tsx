// What the city asked for: sums over time, as plots, as a table, as a spreadsheet.
import { lazyPlot } from "../plot_later";
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, type Words } from "../api";
import { Trouble, useLanguage, useWords } from "../ui";
import { staffWords } from "../staff_words";

interface Wait { known: number; mean_s: number; half_within_s: number | null; most_within_s: number | null }
interface Row { key: string; title: string; papers_in: number; papers_taken: number; returned: number; collected: number; taken_back: number; overdue: number; reclaimed: number; openings: number; jams: number; papers_taken_wait?: Wait; returned_wait?: Wait; collected_wait?: Wait }
interface Answer { from: string; to: string; now: string; rows: Row[] }
// What was asked stays with its answer: the choice may be another by then.
interface Found { by: string; rows: Row[]; plotted: Row[] }
const counts = ["papers_in", "papers_taken", "returned", "collected", "taken_back", "overdue", "reclaimed", "openings", "jams"] as const;
const waited = ["papers_taken", "returned", "collected"] as const;
const groupings = ["day", "hour", "hour_of_day", "cabinet", "service"] as const;
const Plot = lazyPlot();

function day(back: number): string {
  const d = new Date(Date.now() - back * 86_400_000);
  return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}-${String(d.getDate()).padStart(2, "0")}`;
}

// A plot's line goes through days and hours without anything; the answer leaves them out.
function withQuietTimes(by: string, { from, to, now, rows }: Answer): Row[] {
  if (by !== "day" && by !== "hour") return rows;
  const [step, length] = by === "day" ? [86_400_000, 10] : [3_600_000, 13];
  const known = new Map(rows.map((r) => [r.key, r]));
  const latest = [rows[rows.length - 1]?.key ?? "", now.slice(0, length)].sort()[1] ?? "";
  const out: Row[] = [];
  for (let at = Date.parse(`${from}T00:00Z`); at < Date.parse(`${to}T00:00Z`) + 86_400_000; at += step) {
    const key = new Date(at).toISOString().slice(0, length);
    if (key > latest) break;
    out.push(known.get(key) ?? { key, title: key, papers_in: 0, papers_taken: 0, returned: 0, collected: 0, taken_back: 0, overdue: 0, reclaimed: 0, openings: 0, jams: 0 });
  }
  return out;
}

function Time({ label, value, onValue }: { label: Words; value: string; onValue: (v: string) => void }) {
  const t = useWords();
  const id = `d-${label.en}`;
  return <div class="field"><label for={id}>{t(label)}</label><input id={id} type="date" value={value} onInput={(e) => onValue((e.target as HTMLInputElement).value)} /></div>;
}

function Choice({ label, value, choose, options }: { label: Words; value: string; choose: (v: string) => void; options: [string, string][] }) {
  const t = useWords();
  const id = `c-${label.en}`;
  return <div class="field"><label for={id}>{t(label)}</label><select id={id} value={value} onChange={(e) => choose((e.target as HTMLSelectElement).value)}>{options.map(([v, says]) => <option key={v} value={v}>{says}</option>)}</select></div>;
}

export function Statistics() {
  const t = useWords();
  const language = useLanguage();
  const [from, setFrom] = useState(day(29));
  const [to, setTo] = useState(day(0));
  const [by, setBy] = useState<string>("day");
  const [cabinet, setCabinet] = useState("");
  const [service, setService] = useState("");
  const [cabinets, setCabinets] = useState<[string, string][]>([]);
  const [services, setServices] = useState<[string, string][]>([]);
  const [found, setFound] = useState<Found>({ by: "day", rows: [], plotted: [] });
  const [trouble, setTrouble] = useState<unknown>(null);
  const query = new URLSearchParams({ from, to, by, cabinet, service }).toString();
  useEffect(() => {
    get<{ cabinets: { id: string; name: string }[] }>("/api/admin/cabinets").then((r) => setCabinets(r.cabinets.map((c) => [c.id, c.name])), () => undefined);
    get<{ services: { id: string; name: Words }[] }>("/api/admin/catalogue").then((r) => setServices(r.services.map((s) => [s.id, s.name.zh])), () => undefined);
  }, []);
  useEffect(() => {
    let latest = true;
    get<Answer>(`/api/statistics?${query}`).then(
      (r) => { if (latest) { setFound({ by, rows: r.rows, plotted: withQuietTimes(by, r) }); setTrouble(null); } },
      (e: unknown) => { if (latest) { setFound({ by, rows: [], plotted: [] }); setTrouble(e); } });
    return () => { latest = false; };
  }, [query]);
  // Hours are told of some weeks, and of no single service.
  const ofHours = by === "hour" || by === "hour_of_day";
  const group = (wanted: string) => {
    setBy(wanted);
    if (wanted !== "hour" && wanted !== "hour_of_day") return;
    setService("");
    const back = wanted === "hour" ? 6 : 29;
    if (from < day(wanted === "hour" ? 30 : 91)) setFrom(day(back));
    if (to < day(back)) setTo(day(0));
  };
  const { rows, plotted } = found;
  const inTime = found.by === "day" || found.by === "hour";
  const at = useMemo(() => plotted.map((r, i) => (inTime ? Date.parse(found.by === "day" ? `${r.key}T00:00` : `${r.key}:00`) / 1000 : i)), [found]);
  const names = useMemo(() => (inTime ? undefined : plotted.map((r) => r.title || "—")), [found]);
  const flow = useMemo(() => (["papers_in", "papers_taken", "returned", "collected"] as const).map((m) => ({ label: t(staffWords[`stat_${m}`]), values: plotted.map((r) => r[m]), bars: !inTime && m === "papers_in" })), [found, language]);
  const waits = useMemo(() => waited.map((m) => ({ label: t(staffWords[`wait_${m}`]), values: plotted.map((r) => (r[`${m}_wait`] ? Math.round((r[`${m}_wait`] as Wait).mean_s / 360) / 10 : null)) })), [found, language]);
  const bad = useMemo(() => (["overdue", "jams"] as const).map((m) => ({ label: t(staffWords[`stat_${m}`]), values: plotted.map((r) => r[m]) })), [found, language]);
  const step = found.by === "day" ? 86_400 : 3600;
  const hours = (s: number | null) => (s === null ? t(staffWords.beyondTwoWeeks) : s < 3600 ? t(staffWords.minutesN, { n: Math.round(s / 60) }) : t(staffWords.hoursN, { n: Math.round(s / 360) / 10 }));
  return (
    <>
      <div class="fields">
        <Time label={staffWords.fromDay} value={from} onValue={setFrom} /><Time label={staffWords.toDay} value={to} onValue={setTo} />
        <Choice label={staffWords.groupBy} value={by} choose={group} options={groupings.map((g) => [g, t(staffWords[`by_${g}`])])} />
        <Choice label={staffWords.cabinets} value={cabinet} choose={setCabinet} options={[["", t(staffWords.allCabinets)], ...cabinets]} />
        {!ofHours && <Choice label={staffWords.service} value={service} choose={setService} options={[["", t(staffWords.allServices)], ...services]} />}
      </div>
      <Trouble what={trouble} />
      <p><a class="button" href={`/api/statistics.csv?${query}`} download>{t(staffWords.csv)}</a></p>
      {rows.length === 0 ? <p role="status">{t(staffWords.noFigures)}</p> : <>
        <Plot title={t(staffWords.flow)} at={at} names={names} series={flow} step={step} />
        <Plot title={t(staffWords.waits)} at={at} names={names} series={waits} step={step} />
        <Plot title={t(staffWords.troublesPlot)} at={at} names={names} series={bad} step={step} />
        <div class="scroll" role="region" aria-label={t(staffWords.statistics)} tabIndex={0}><table class="stacked wraps" role="table">
          <thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">{t(staffWords[`by_${found.by as "day"}`])}</th>{counts.map((m) => <th key={m} scope="col" role="columnheader">{t(staffWords[`stat_${m}`])}</th>)}{waited.map((m) => <th key={m} scope="col" role="columnheader">{t(staffWords[`wait_${m}`])}</th>)}</tr></thead>
          <tbody role="rowgroup">{[...rows].reverse().map((r) => <tr key={r.key} role="row"><th scope="row" role="rowheader">{r.title || "—"}</th>{counts.map((m) => <td key={m} role="cell" data-label={t(staffWords[`stat_${m}`])}>{r[m]}</td>)}{waited.map((m) => { const w = r[`${m}_wait`]; return <td key={m} role="cell" data-label={t(staffWords[`wait_${m}`])}>{w ? `${hours(w.mean_s)} (90 % ≤ ${hours(w.most_within_s)})` : "—"}</td>; })}</tr>)}</tbody>
        </table></div>
      </>}
      <p class="hint">{t(staffWords.statisticsHint)}</p>
    </>
  );
}
