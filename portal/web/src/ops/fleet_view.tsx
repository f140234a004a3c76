// The map of tiles. Only those in sight are in the page, so that a thousand scroll as ten do.
import { Component } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Heading, useWords } from "../ui";
import type { Tile } from "./fleet";
import { Chip, away, kindWords, signs, stateWords, to, tone, useAge, useNow } from "./parts";
import { opsWords } from "./words";

type Filter = "all" | "trouble" | "absent" | "fine";
const least = 15;    // rem, of a tile's width
const height = 6.75; // rem, with its gap
const atOnce = 2;    // rows that come into the page in one frame: a hand that throws the list far sees it fill, and never stall
const beyond = 2;    // rows kept above and below what is seen

interface Shown { tile: Tile; now: number; place: number; of: number; columns: number; row: number }
class Card extends Component<Shown> {
  override shouldComponentUpdate(next: Shown) {
    return (Object.keys(next) as (keyof Shown)[]).some((k) => next[k] !== this.props[k]);
  }
  override render() { return <Face {...this.props} />; }
}

// Each lies where it belongs by itself: one more in sight moves no other.
function Face({ tile, now, place, of, columns, row }: Shown) {
  const t = useWords();
  const age = useAge();
  const worst = tile.alarms[0];
  // A forced door goes before everything, also of a cabinet that has gone since.
  const state = tile.state === "alarm" ? "" : t(stateWords[tile.state]);
  const says = tile.state === "alarm" || tile.rank === 0 ? `${away(tile) ? `${state} · ` : ""}${t(worst ? kindWords(worst.kind) : opsWords.trouble)}` : state;
  const more = tile.alarms.length > 1 ? ` +${tile.alarms.length - 1}` : "";
  return (
    <li class="cell" aria-setsize={of} aria-posinset={place + 1} style={{ left: `${100 * (place % columns) / columns}%`, top: `${Math.floor(place / columns) * row}px`, width: `${100 / columns}%` }}>
      <a class={`tile ${tone(tile)}`} href={to(`c/${tile.id}`)} data-id={tile.id} data-state={tile.state}>
        <span class="tilename"><span class="sign" aria-hidden="true">{signs[tile.state]}</span> {tile.name}</span>
        <span class="tilesays"><span title={says}>{says}</span>{more && <span class="tileage">{more}</span>}{tile.rank < 9 && tile.since > 0 && <span class="tileage"> · {age(Math.max(0, now - tile.since))}</span>}</span>
        {tile.total > 0 && <span class="tileuse"><span class="bar" aria-hidden="true"><span style={{ width: `${tile.total ? Math.round(100 * (tile.total - tile.vacant) / tile.total) : 0}%` }} /></span> {tile.total - tile.vacant}/{tile.total}</span>}
      </a>
    </li>
  );
}

function Tiles({ list }: { list: Tile[] }) {
  const box = useRef<HTMLUListElement>(null);
  const now = useNow();
  const [sight, setSight] = useState({ columns: 1, from: 0, to: 20, row: 120 });
  useEffect(() => {
    let asked = 0;
    let at = { top: 0, columns: 1, row: 120 };
    const look = () => {
      asked = 0;
      const above = scrollY - at.top;
      const from = Math.max(0, Math.floor(above / at.row) - beyond);
      const to_ = Math.ceil((above + innerHeight) / at.row) + beyond;
      setSight((s) => {
        if (s.columns !== at.columns || s.row !== at.row) return { columns: at.columns, from, to: to_, row: at.row };
        // What stays in sight stays; from there on a few rows more with each frame.
        const kept = s.to > from && s.from < to_ ? { from: Math.max(s.from, from), to: Math.min(s.to, to_) } : { from, to: from };
        const down = Math.min(to_, kept.to + atOnce);
        const up = Math.max(from, kept.from - (atOnce - (down - kept.to)));
        if (down !== to_ || up !== from) ask();
        return s.from === up && s.to === down ? s : { columns: at.columns, from: up, to: down, row: at.row };
      });
    };
    const ask = () => { if (asked === 0) asked = requestAnimationFrame(look); };
    const measure = () => {
      if (!box.current) return;
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      at = { top: box.current.getBoundingClientRect().top + scrollY, columns: Math.max(1, Math.floor(box.current.clientWidth / (least * rem))), row: height * rem };
      look();
    };
    measure();
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", measure);
    const watcher = new ResizeObserver(measure);
    watcher.observe(document.body);
    return () => { removeEventListener("scroll", ask); removeEventListener("resize", measure); watcher.disconnect(); cancelAnimationFrame(asked); };
  }, []);
  const rows = Math.ceil(list.length / sight.columns);
  const first = Math.min(sight.from, Math.max(0, rows - 1)) * sight.columns;
  return (
    <ul class="tiles" ref={box} style={{ height: `${rows * sight.row}px` }}>
      {list.slice(first, sight.to * sight.columns).map((tile, i) => <Card key={tile.id} tile={tile} now={now} place={first + i} of={list.length} columns={sight.columns} row={sight.row} />)}
    </ul>
  );
}

// No collation: a thousand are sorted again with each change.
const before = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
export const byTrouble = (a: Tile, b: Tile) => a.rank - b.rank || (a.rank < 9 ? a.since - b.since : 0) || before(a.name, b.name) || before(a.id, b.id);

export function FleetView({ sorted, away: unreached }: { sorted: Tile[]; away: string }) {
  const t = useWords();
  const [filter, setFilter] = useState<Filter>("all");
  const [find, setFind] = useState("");
  const count = useMemo(() => ({ all: sorted.length, trouble: sorted.filter((c) => c.alarms.length > 0).length, absent: sorted.filter(away).length, fine: sorted.filter((c) => c.state === "ok").length }), [sorted]);
  const list = useMemo(() => {
    const wish = find.trim().toLowerCase();
    return sorted.filter((c) => (filter === "all" || (filter === "trouble" && c.alarms.length > 0) || (filter === "absent" && away(c)) || (filter === "fine" && c.state === "ok")) &&
      (wish === "" || `${c.name} ${c.place} ${c.id}`.toLowerCase().includes(wish)));
  }, [sorted, filter, find]);
  return (
    <>
      <Heading>{t(opsWords.fleet)}</Heading>
      {!(unreached && sorted.length === 0) && <div class="tools">
        {(["all", "trouble", "absent", "fine"] as const).map((f) => <Chip key={f} on={filter === f} tap={() => setFilter(f)}>{t(opsWords[f])} <strong>{count[f]}</strong></Chip>)}
        <input type="search" value={find} aria-label={t(opsWords.find)} placeholder={t(opsWords.find)} onInput={(e) => setFind((e.target as HTMLInputElement).value)} />
      </div>}
      {list.length === 0 ? <p role="status">{sorted.length > 0 ? t(opsWords.nothing) : unreached ? t(opsWords.noBroker, { url: unreached }) : t(opsWords.noCabinets)}</p> : <Tiles list={list} />}
    </>
  );
}
