// The dashboard: /ops of the portal, or any folder of files. It speaks with the broker alone, by a read-only account;
// ops.json beside it says where that is.
import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Approvals } from "../remote";
import "../style.css";
import "./ops.css";
import { Field, Frame, Heading, useWords } from "../ui";
import { CabinetView, type Seen } from "./cabinet_view";
import type { Happening, Health, Tile } from "./fleet";
import { FleetView, byTrouble } from "./fleet_view";
import type { Account, LinkState, News, Order, Sample } from "./link";
import { AlarmsView, EventsView, HealthView } from "./lists";
import { away, to, useHash } from "./parts";
import { useAfar } from "./remote";
import { UseView } from "./use_view";
import workerAddress from "./link.ts?worker&url";
import { opsWords } from "./words";

interface Place { id: string; name: string; place: string }
interface Setup { broker?: string; anonymous?: boolean; portal?: boolean; cabinets?: Place[] }
const eventsKept = 500;
const memory = "fleet-account";

function kept(): Account | null {
  for (const box of [() => sessionStorage, () => localStorage]) {
    try { const text = box().getItem(memory); if (text) return JSON.parse(text) as Account; } catch { /* a private window */ }
  }
  return null;
}
function keep(account: Account | null, long: boolean) {
  try {
    sessionStorage.removeItem(memory);
    localStorage.removeItem(memory);
    if (account) (long ? localStorage : sessionStorage).setItem(memory, JSON.stringify(account));
  } catch { /* a private window */ }
}

function broker(setup: Setup): string { return setup.broker || `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/mqtt`; }

function Connect({ url, why, connect }: { url: string; why: string; connect: (a: Account, long: boolean) => void }) {
  const t = useWords();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [long, setLong] = useState(false);
  return (
    <form class="card narrow" onSubmit={(e) => { e.preventDefault(); connect({ url, username, password }, long); }}>
      <Heading>{t(opsWords.connectTitle)}</Heading>
      <p class="hint">{t(opsWords.connectHint)}</p>
      <p class="hint">{t(opsWords.broker)} {url}</p>
      <Field label={t(opsWords.username)} value={username} onValue={setUsername} autocomplete="username" />
      <Field label={t(opsWords.password)} value={password} onValue={setPassword} type="password" autocomplete="current-password" />
      <label class="choice"><input type="checkbox" checked={long} onChange={(e) => setLong((e.target as HTMLInputElement).checked)} /><span>{t(opsWords.remember)}</span></label>
      {why && <p class="trouble" role="alert">{t(opsWords.link_refused, { why })}</p>}
      <button>{t(opsWords.connect)}</button>
    </form>
  );
}

// What the worker tells, as it stands now.
function useFleet() {
  const worker = useRef<Worker | null>(null);
  const tiles = useRef(new Map<string, Tile>());
  const [round, setRound] = useState(0);
  const [link, setLink] = useState<{ state: LinkState; why: string }>({ state: "connecting", why: "" });
  const [events, setEvents] = useState<Happening[]>([]);
  const [seen, setSeen] = useState<Seen | null>(null);
  const [health, setHealth] = useState<Health[] | null>(null);
  const [samples, setSamples] = useState<Sample[]>([]);
  const send = (order: Order) => worker.current?.postMessage(order);
  useEffect(() => {
    const mine = new Worker(workerAddress);
    worker.current = mine;
    let stale = false;
    mine.onmessage = (message: MessageEvent<News>) => {
      const news = message.data;
      switch (news.what) {
        case "link": setLink({ state: news.state, why: news.why }); break;
        case "fresh": stale = true; break;
        case "tiles":
          if (stale) { tiles.current = new Map(); stale = false; }
          for (const tile of news.tiles) tiles.current.set(tile.id, tile);
          for (const id of news.gone) tiles.current.delete(id);
          setRound((r) => r + 1);
          break;
        case "events":
          setEvents((before) => {
            const known = new Set(before.map((e) => e.key));
            const fresh = news.list.filter((e) => !known.has(e.key)).reverse();
            return fresh.length === 0 ? before : [...fresh, ...before].slice(0, eventsKept);
          });
          break;
        case "cabinet": setSeen({ id: news.id, doors: news.doors, metrics: news.metrics }); break;
        case "health": setHealth(news.list); break;
        case "samples": setSamples(news.list); break;
      }
    };
    return () => mine.terminate();
  }, []);
  const sorted = useMemo(() => [...tiles.current.values()].sort(byTrouble), [round]);
  return { sorted, tiles: tiles.current, link, events, seen, health, samples, send };
}

function Inside({ setup, leave, fleet }: { setup: Setup; leave: () => void; fleet: ReturnType<typeof useFleet> }) {
  const t = useWords();
  const [room = "", id = ""] = useHash();
  const afar = useAfar(setup.portal === true);
  const names = (cabinet: string) => fleet.tiles.get(cabinet)?.name ?? cabinet;
  const alarms = fleet.sorted.reduce((n, c) => n + c.alarms.length + (away(c) ? 1 : 0), 0);
  const known = fleet.link.state === "up" || fleet.sorted.length > 0;  // else nobody knows how many
  const rooms = [["", opsWords.fleet, known ? fleet.sorted.length : null], ["alarms", opsWords.alarms, known ? alarms : null], ["events", opsWords.events, null], ["use", opsWords.use, null], ["health", opsWords.health, null]] as const;
  return (
    <>
      <nav aria-label={t(opsWords.title)}>
        {rooms.map(([path, word, n]) => <a key={path} href={to(path)} aria-current={room === path ? "page" : undefined}>{t(word)}{n !== null && ` ${n}`}</a>)}
        <span class="hint link" role="status" data-link={fleet.link.state}>{fleet.link.state === "down" && fleet.sorted.length === 0 ? "" : fleet.link.state === "up" ? `● ${t(opsWords.link_up)}` : t(opsWords[`link_${fleet.link.state}`], { why: fleet.link.why })}</span>
        {setup.portal && <a href="/work">{t("staffTitle")}{afar.me?.number && ` ${afar.me.number}`}</a>}
        <button type="button" class="plain" onClick={leave}>{t(opsWords.disconnect)}</button>
      </nav>
      <Approvals list={afar.list} names={names} changed={afar.look} />
      {room === "c" ? <CabinetView key={id} id={id} tile={fleet.tiles.get(id)} seen={fleet.seen} events={fleet.events} names={names} afar={afar} watch={(cabinet) => fleet.send({ do: "watch", cabinet })} />
        : room === "alarms" ? <AlarmsView sorted={fleet.sorted} />
        : room === "events" ? <EventsView events={fleet.events} names={names} />
        : room === "use" ? <UseView samples={fleet.samples} portal={setup.portal === true} />
        : room === "health" ? <HealthView list={fleet.health} ask={() => fleet.send({ do: "health" })} />
        : <FleetView sorted={fleet.sorted} away={fleet.link.state === "down" ? broker(setup) : ""} />}
    </>
  );
}

function App() {
  const fleet = useFleet();
  const [setup, setSetup] = useState<Setup | null>(null);
  const [account, setAccount] = useState<Account | null>(null);
  useEffect(() => {
    fetch("ops.json").then((r) => r.json() as Promise<Setup>).catch(() => ({}) as Setup).then((found) => {
      setSetup(found);
      const known = kept();
      setAccount(known && known.url === broker(found) ? known : found.anonymous ? { url: broker(found), username: "", password: "" } : null);
    }, () => undefined);
  }, []);
  useEffect(() => { if (account && setup) fleet.send({ do: "connect", account, expected: setup.cabinets ?? [] }); }, [account, setup]);
  const refused = fleet.link.state === "refused";
  useEffect(() => { if (refused) keep(null, false); }, [refused]);
  return (
    <Frame title="fleetTitle" home={to("")}>
      {!setup ? <p>…</p> : !account || refused
        ? <Connect url={broker(setup)} why={refused ? fleet.link.why : ""} connect={(a, long) => { keep(a, long); setAccount({ ...a }); }} />
        : <Inside setup={setup} fleet={fleet} leave={() => { keep(null, false); fleet.send({ do: "leave" }); setAccount(null); }} />}
    </Frame>
  );
}

const root = document.getElementById("app");
if (root) { root.textContent = ""; render(<App />, root); }
