// Alarms with what to do, the stream of events, and whose figures want a look.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Words } from "../api";
import { alarms } from "../staff_words";
import { Heading, useLanguage, useWords } from "../ui";
import { absent, rankOf, type Alarm, type Happening, type Health, type Tile } from "./fleet";
import { w } from "../words";
import { away, awayHint, space, stateWords, to, useAge, useAlarmTitle, useClock, useNow } from "./parts";
import { byWords, detailWords, eventKinds, eventWords, opsWords } from "./words";

const listed = 200;

export function AlarmItem({ alarm, at }: { alarm: Alarm; at?: Tile }) {
  const t = useWords();
  const age = useAge();
  const now = useNow();
  const title = useAlarmTitle();
  const language = useLanguage();
  const known = alarms[alarm.kind];
  return (
    <li class={`card alarm rank${Math.min(6, rankOf(alarm.kind))}`}>
      <h2>{at && <><a href={to(`c/${at.id}`)}>{at.name}</a> · </>}{title(alarm)}</h2>
      <p class="hint">{[alarm.since > 0 && t(opsWords.forAge, { age: age(Math.max(0, now - alarm.since)) }), at?.place, at && away(at) && t(opsWords.asBefore)].filter(Boolean).join(" · ")}</p>
      {language === "en" || !known ? <p>{alarm.meaning}</p> : <p class="hint" lang="en">{alarm.meaning}</p>}
      <p><strong>{t(opsWords.whatToDo)}</strong> {known ? t(known.action) : alarm.action}</p>
    </li>
  );
}

// One that is away raises no alarm itself.
function AwayItem({ at }: { at: Tile }) {
  const t = useWords();
  const age = useAge();
  const now = useNow();
  const hint = awayHint(at);
  return (
    <li class="card alarm rank0">
      <h2><a href={to(`c/${at.id}`)}>{at.name}</a> · {t(stateWords[at.state as "offline"])}</h2>
      <p class="hint">{[at.left > 0 && t(opsWords.forAge, { age: age(Math.max(0, now - at.left)) }), at.place].filter(Boolean).join(" · ")}</p>
      {hint && <p><strong>{t(opsWords.whatToDo)}</strong> {t(hint)}</p>}
    </li>
  );
}

interface Trouble { at: Tile; alarm: Alarm | null; rank: number; since: number }
const troubles = (at: Tile): Trouble[] => [
  ...(away(at) ? [{ at, alarm: null, rank: absent, since: at.left }] : []),
  ...at.alarms.map((alarm) => ({ at, alarm, rank: rankOf(alarm.kind), since: alarm.since })),
];

export function AlarmsView({ sorted }: { sorted: Tile[] }) {
  const t = useWords();
  const all = useMemo(() => sorted.flatMap(troubles).sort((a, b) => a.rank - b.rank || a.since - b.since), [sorted]);
  return (
    <>
      <Heading>{t(opsWords.alarms)}</Heading>
      {all.length === 0 && <p role="status">{t(opsWords.noAlarms)}</p>}
      <ul class="list cards">{all.slice(0, listed).map(({ at, alarm }) => (alarm ? <AlarmItem key={`${at.id}/${alarm.kind}/${alarm.which}`} at={at} alarm={alarm} /> : <AwayItem key={at.id} at={at} />))}</ul>
      {all.length > listed && <p class="hint">{t(opsWords.more, { n: all.length - listed })}</p>}
    </>
  );
}

// What is worth knowing beside an event's name; ids of grants tell nobody anything.
function useSaid(): (data: Record<string, unknown>) => string {
  const t = useWords();
  return (data) => ["by", "kind", "reason", "via", "board", "input", "state", "deposit"].filter((k) => typeof data[k] === "string" && data[k] !== "").map((k) => {
    const value = String(data[k]);
    const [kind = "", n = ""] = k === "by" ? value.split(":") : [value];
    const word = k === "by" ? byWords[kind] : k === "kind" || k === "via" ? detailWords[kind] : undefined;
    return word ? t(word, { n }) : value;
  }).join(" · ");
}

export function EventRows({ list, names }: { list: Happening[]; names: (id: string) => string }) {
  const t = useWords();
  const clock = useClock();
  const said = useSaid();
  return (
    <ol class="stream">{list.map((e) => {
      const word = eventWords[e.type];
      return <li key={e.key}><time>{clock(e.time)}</time> <a href={to(`c/${e.cabinet}`)}>{names(e.cabinet)}</a> <strong>{word ? t(word) : e.type}</strong>{e.door > 0 && ` · ${t("doorN", { n: e.door })}`} <span class="hint">{said(e.data)}</span></li>;
    })}</ol>
  );
}

export function EventsView({ events, names }: { events: Happening[]; names: (id: string) => string }) {
  const t = useWords();
  const [kind, setKind] = useState("");
  const [find, setFind] = useState("");
  const [held, setHeld] = useState<Happening[] | null>(null);
  const kinds = useMemo(() => [...new Set(Object.keys(eventWords).map((k) => k.split(".")[0] ?? ""))], []);
  const said = useSaid();
  const wish = find.trim().toLowerCase();
  const list = (held ?? events).filter((e) => (kind === "" || e.type.startsWith(`${kind}.`)) && (wish === "" || `${names(e.cabinet)} ${e.cabinet} ${e.type} ${eventWords[e.type]?.zh ?? ""} ${eventWords[e.type]?.en ?? ""} ${said(e.data)}`.toLowerCase().includes(wish)));
  return (
    <>
      <Heading>{t(opsWords.events)}</Heading>
      <div class="tools">
        <select aria-label={t(opsWords.kind)} value={kind} onChange={(e) => setKind((e.target as HTMLSelectElement).value)}>
          <option value="">{t(opsWords.everything)}</option>{kinds.map((k) => <option key={k} value={k}>{t(eventKinds[k] ?? w(k, k))}</option>)}
        </select>
        <input type="search" value={find} aria-label={t(opsWords.findEvent)} placeholder={t(opsWords.findEvent)} onInput={(e) => setFind((e.target as HTMLInputElement).value)} />
        <button type="button" class="plain" onClick={() => setHeld(held ? null : events)}>{t(held ? opsWords.goOn : opsWords.pause)}</button>
      </div>
      {list.length === 0 && <p role="status">{t(events.length === 0 ? opsWords.noEvents : opsWords.nothingFound)}</p>}
      <EventRows list={list.slice(0, listed)} names={names} />
    </>
  );
}

// How soon this one should be looked at: worn locks, slow cards, full disks, bad lines, in one number.
function badness(h: Health): number {
  return h.wear / 100 + h.slowest_ms / 1000 + (h.free_mb >= 0 && h.free_mb < 64 ? 2 : 0) + Math.max(0, h.life_percent) / 100 + h.failures_percent / 5 + Math.min(2, h.waiting / 100);
}

export function HealthView({ list, ask }: { list: Health[] | null; ask: () => void }) {
  const t = useWords();
  const age = useAge();
  useEffect(() => { ask(); const timer = setInterval(ask, 10_000); return () => clearInterval(timer); }, []);
  const figures: [Words, (h: Health) => string][] = [
    [opsWords.wear, (h) => (h.wear > 0 ? `${h.wear} % · ${t("doorN", { n: h.door })}` : "—")],
    [opsWords.slowest, (h) => `${h.slowest_ms.toFixed(1)} ms`],
    [opsWords.failures, (h) => `${h.failures_percent.toFixed(2)} %`],
    [opsWords.waiting, (h) => String(h.waiting)],
    [opsWords.free, (h) => (h.free_mb >= 0 ? space(h.free_mb) : "—")],
    [opsWords.life, (h) => (h.life_percent >= 0 ? `${h.life_percent} %` : "—")],
    [opsWords.uptime, (h) => age(h.uptime_ms)],
    [opsWords.version, (h) => h.version],
  ];
  const worst = useMemo(() => [...(list ?? [])].sort((a, b) => badness(b) - badness(a)).slice(0, 50), [list]);
  return (
    <>
      <Heading>{t(opsWords.health)}</Heading>
      <p class="hint">{t(opsWords.healthHint)}</p>
      {worst.length === 0 && <p role="status">{t(opsWords.gathering)}</p>}
      <div class="scroll" role="region" aria-label={t(opsWords.health)} tabIndex={0}><table class="stacked" role="table">
        <thead role="rowgroup"><tr role="row">{[opsWords.cabinet, ...figures.map(([word]) => word)].map((word) => <th key={word.en} scope="col" role="columnheader">{t(word)}</th>)}</tr></thead>
        <tbody role="rowgroup">{worst.map((h) => <tr key={h.id} role="row">
          <th scope="row" role="rowheader"><a href={to(`c/${h.id}`)}>{h.name}</a></th>{figures.map(([word, says]) => <td key={word.en} role="cell" data-label={t(word)}>{says(h)}</td>)}
        </tr>)}</tbody>
      </table></div>
    </>
  );
}
