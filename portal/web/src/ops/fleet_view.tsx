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
const beyond = 3;    // rows kept above and below what is seen

class Card extends Component<{ tile: Tile; now: number; place: number; of: number }> {
  override shouldComponentUpdate(next: { tile: Tile; now: number; place: number; of: number }) {
    return next.tile !== this.props.tile || next.now !== this.props.now || next.place !== this.props.place || next.of !== this.props.of;
  }
  override render() { return <Face {...this.props} />; }
}

function Face({ tile, now, place, of }: { tile: Tile; now: number; place: number; of: number }) {
  const t = useWords();
  const age = useAge();
  const worst = tile.alarms[0];
  // A forced door goes before everything, also of a cabinet that has gone since.
  const says = tile.state === "alarm" || tile.rank === 0 ? t(worst ? kindWords(worst.kind) : opsWords.trouble) : t(stateWords[tile.state]);
  const more = tile.alarms.length > 1 ? ` +${tile.alarms.length - 1}` : "";
  return (
    <li class="cell" aria-setsize={of} aria-posinset={place}>
      <a class={`tile ${tone(tile)}`} href={to(`c/${tile.id}`)} data-id={tile.id} data-state={tile.state}>
        <span class="tilename"><span class="sign" aria-hidden="true">{signs[tile.state]}</span> {tile.name}</span>
        <span class="tilesays">{says}{more}{tile.rank < 9 && tile.since > 0 && <> · {age(Math.max(0, now - tile.since))}</>}</span>
        {tile.total > 0 && <span class="tileuse"><span class="bar" aria-hidden="true"><span style={{ width: `${tile.total ? Math.round(100 * (tile.total - tile.vacant) / tile.total) : 0}%` }} /></span> {tile.total - tile.vacant}/{tile.total}</span>}
      </a>
    </li>
  );
}

function Tiles({ list }: { list: Tile[] }) {
  const box = useRef<HTMLUListElement>(null);
  const now = useNow();
  const [window_, setWindow] = useState({ columns: 1, from: 0, to: 20, row: 120 });
  useEffect(() => {
    let asked = 0;
    const measure = () => {
      asked = 0;
      if (!box.current) return;
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      const row = height * rem;
      const columns = Math.max(1, Math.floor(box.current.clientWidth / (least * rem)));
      const above = -box.current.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(above / row) - beyond);
      const to_ = Math.ceil((above + innerHeight) / row) + beyond;
      setWindow((w) => (w.columns === columns && w.from === from && w.to === to_ && w.row === row ? w : { columns, from, to: to_, row }));
    };
    const ask = () => { if (asked === 0) asked = requestAnimationFrame(measure); };
    measure();
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", ask);
    const watcher = new ResizeObserver(ask);
    if (box.current) watcher.observe(box.current);
    return () => { removeEventListener("scroll", ask); removeEventListener("resize", ask); watcher.disconnect(); cancelAnimationFrame(asked); };
  }, []);
  const rows = Math.ceil(list.length / window_.columns);
  const first = Math.min(window_.from, Math.max(0, rows - 1)) * window_.columns;
  const shown = list.slice(first, window_.to * window_.columns);
  return (
    <ul class="tiles" ref={box} style={{ height: `${rows * window_.row}px`, paddingTop: `${(first / window_.columns) * window_.row}px`, gridTemplateColumns: `repeat(${window_.columns}, 1fr)` }}>
      {shown.map((tile, i) => <Card key={tile.id} tile={tile} now={now} place={first + i + 1} of={list.length} />)}
    </ul>
  );
}

const collator = new Intl.Collator("zh-CN");
export const byTrouble = (a: Tile, b: Tile) => a.rank - b.rank || (a.rank < 9 ? a.since - b.since : 0) || collator.compare(a.name, b.name) || (a.id < b.id ? -1 : 1);

export function FleetView({ sorted }: { sorted: Tile[] }) {
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
      <div class="tools">
        {(["all", "trouble", "absent", "fine"] as const).map((f) => <Chip key={f} on={filter === f} tap={() => setFilter(f)}>{t(opsWords[f])} <strong>{count[f]}</strong></Chip>)}
        <input type="search" value={find} aria-label={t(opsWords.find)} placeholder={t(opsWords.find)} onInput={(e) => setFind((e.target as HTMLInputElement).value)} />
      </div>
      {list.length === 0 ? <p role="status">{t(sorted.length === 0 ? opsWords.noCabinets : opsWords.nothing)}</p> : <Tiles list={list} />}
    </>
  );
}
