// One cabinet as it stands there: its front with every door, what is wrong and what to do, how it is.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Heading, useWords } from "../ui";
import type { Door, Happening, Lock, Metrics, Tile } from "./fleet";
import { AlarmItem, EventRows } from "./lists";
import { away, awayHint, signs, space, stateWords, to, tone, useAge, useClock, useNow } from "./parts";
import { Remote, type Afar } from "./remote";
import { opsWords } from "./words";

const useWordsOf: Record<string, typeof opsWords.vacant> = { vacant: opsWords.vacant, reserved: opsWords.reserved, occupied: opsWords.occupiedDoor, suspected: opsWords.suspected, disabled: opsWords.disabled };
const doorWords: Record<string, typeof opsWords.vacant> = { open: opsWords.doorOpen, closed: opsWords.doorClosed };
const lockWords: Record<string, typeof opsWords.vacant> = { jammed: opsWords.lockJammed, quarantined: opsWords.lockQuarantined };

function Front({ doors }: { doors: Door[] }) {
  const t = useWords();
  return (
    <ul class="front" aria-label={t(opsWords.front)}>{[...doors].sort((a, b) => a.number - b.number).map((d) => (
      <li key={d.number} class={`box size${d.size} ${d.use} ${d.door} lock-${d.lock}`} data-door={d.number} data-state={d.door}>
        <strong>{d.number}</strong>
        <span>{t(useWordsOf[d.use] ?? opsWords.unknown)}</span>
        <span>{d.door === "open" ? "▯ " : d.door === "closed" ? "▮ " : "? "}{t(doorWords[d.door] ?? opsWords.doorUnknown)}</span>
        {lockWords[d.lock] && <span class="tag warn">{t(lockWords[d.lock]!)}</span>}
      </li>))}
    </ul>
  );
}

function Locks({ list }: { list: Lock[] }) {
  const t = useWords();
  const figures: [typeof opsWords.vacant, (l: Lock) => ComponentChildren][] = [
    [opsWords.wear, (l) => <span><meter min={0} max={100} high={80} value={Math.min(100, l.wear)} aria-label={`${l.wear} %`} /> {l.wear} %</span>],
    [opsWords.usual, (l) => (l.usual_ms > 0 ? `${l.usual_ms} ms` : "—")],
    [opsWords.recent, (l) => (l.recent_ms > 0 ? `${l.recent_ms} ms` : "—")],
    [opsWords.cycles, (l) => l.cycles],
    [opsWords.retries, (l) => l.retries],
    [opsWords.jams, (l) => l.jams],
  ];
  return (
    <div class="scroll" role="region" aria-label={t(opsWords.locks)} tabIndex={0}><table class="stacked" role="table">
      <thead role="rowgroup"><tr role="row">{[opsWords.lock, ...figures.map(([word]) => word)].map((word) => <th key={word.en} scope="col" role="columnheader">{t(word)}</th>)}</tr></thead>
      <tbody role="rowgroup">{list.map((l) => <tr key={l.compartment} class={l.worn ? "worn" : ""} role="row"><th scope="row" role="rowheader">{l.compartment}</th>{figures.map(([word, says]) => <td key={word.en} role="cell" data-label={t(word)}>{says(l)}</td>)}</tr>)}</tbody>
    </table></div>
  );
}

function Figures({ m, tile }: { m: Metrics; tile: Tile }) {
  const t = useWords();
  const age = useAge();
  const store = m.store ?? {};
  const mean = store.commits && store.commits_us !== undefined ? (store.commits_us / store.commits / 1000).toFixed(1) : null;
  const rows: [typeof opsWords.vacant, string][] = [
    [opsWords.version, tile.version], [opsWords.uptime, age(m.uptime_ms ?? 0)],
    [opsWords.slowest, `${((store.slowest_commit_us ?? 0) / 1000).toFixed(1)} ms`], ...(mean ? [[opsWords.meanCommit, `${mean} ms`] as [typeof opsWords.vacant, string]] : []),
    [opsWords.waiting, String(m.unpublished ?? 0)],
    ...(store.medium?.free_mb !== undefined ? [[opsWords.free, space(store.medium.free_mb)] as [typeof opsWords.vacant, string]] : []),
    ...(store.medium?.life_used_percent !== undefined ? [[opsWords.life, `${store.medium.life_used_percent} %`] as [typeof opsWords.vacant, string]] : []),
    ...(m.broker?.connections !== undefined ? [[opsWords.connections, String(m.broker.connections)] as [typeof opsWords.vacant, string]] : []),
  ];
  return (
    <dl class="figures">
      {rows.map(([word, value]) => <div key={word.en}><dt>{t(word)}</dt><dd>{value}</dd></div>)}
      {Object.entries(m.bus ?? {}).map(([name, b]) => <div key={name}><dt>{t(opsWords.failures)} {name}</dt><dd>{b.failures}/{b.requests}</dd></div>)}
    </dl>
  );
}

export interface Seen { id: string; doors: Door[]; metrics: Metrics | null }

export function CabinetView({ id, tile, seen, events, watch, names, afar }: { id: string; tile: Tile | undefined; seen: Seen | null; events: Happening[]; watch: (id: string) => void; names: (id: string) => string; afar: Afar }) {
  const t = useWords();
  const age = useAge();
  const clock = useClock();
  const now = useNow();
  useEffect(() => { watch(id); return () => watch(""); }, [id]);
  if (!tile) return <><Heading>{id}</Heading><p role="status">{t(opsWords.nothing)}</p><p><a href={to("")}>{t(opsWords.back)}</a></p></>;
  const hint = awayHint(tile);
  const here = seen?.id === id ? seen : null;
  const mine = events.filter((e) => e.cabinet === id).slice(0, 30);
  return (
    <>
      <p><a href={to("")}>← {t(opsWords.fleet)}</a></p>
      <Heading>{tile.name}</Heading>
      <p class="hint">{tile.id}{tile.place && ` · ${tile.place}`}</p>
      <p class={`state tone-${tone(tile)}`} role="status">{signs[tile.state]} {tile.state === "alarm" ? t(opsWords.trouble) : t(stateWords[tile.state])}{hint && tile.left > 0 && ` · ${t(opsWords.forAge, { age: age(Math.max(0, now - tile.left)) })}`}{tile.total > 0 && " · "}{tile.total > 0 && t(opsWords.occupied, { n: tile.total - tile.vacant, total: tile.total })}</p>
      {hint && <p class="notice">{t(hint)} {tile.heard > 0 && <span class="hint">{t(opsWords.lastHeard)} {clock(tile.heard)}</span>}</p>}
      <ul class="list cards">{tile.alarms.map((a) => <AlarmItem key={`${a.kind}/${a.which}`} alarm={a} />)}</ul>
      {away(tile) && here && here.doors.length > 0 && <p class="hint">{t(opsWords.asBefore)}</p>}
      {here && here.doors.length > 0 && <Front doors={here.doors} />}
      {tile.state !== "never" && <Remote cabinet={id} afar={afar} />}
      {mine.length > 0 && <section><h2>{t(opsWords.recentEvents)}</h2><EventRows list={mine} names={names} /></section>}
      {here?.metrics && <section><h2>{t(opsWords.figures)}</h2><Figures m={here.metrics} tile={tile} /></section>}
      {here?.metrics?.locks && here.metrics.locks.length > 0 && <section><h2>{t(opsWords.locks)}</h2><Locks list={here.metrics.locks} /></section>}
    </>
  );
}
