// What the broker says of all cabinets, as tiles sorted by trouble. Pure: time is handed in; nothing here knows of a
// page or a connection. The contract's topics: protocol/README.md.

export interface Alarm { kind: string; which: string; since: number; meaning: string; action: string }
// never: it should be there and never said a word; silent: it says that it is online, and is not heard.
export type State = "never" | "offline" | "silent" | "alarm" | "ok";
export interface Tile {
  id: string; name: string; place: string; state: State; rank: number; since: number; alarms: Alarm[];
  total: number; vacant: number; version: string; heard: number;
  left: number;  // since when it is away; 0: nobody knows, or it is not
}
export interface Door { number: number; size: string; use: string; door: string; lock: string; deposit: string | null; since: string }
export interface Lock { compartment: number; lock: string; worn: boolean; cycles: number; retries: number; jams: number; usual_ms: number; recent_ms: number; wear: number }
export interface Metrics {
  at?: string; every_ms?: number; uptime_ms?: number; unpublished?: number; locks?: Lock[];
  store?: { commits?: number; commits_us?: number; slowest_commit_us?: number; medium?: { free_mb?: number; life_used_percent?: number; errors?: number } };
  bus?: Record<string, { requests: number; failures: number; pulses: number }>;
  broker?: { published?: number; connections?: number };
}
export interface Happening { key: string; cabinet: string; type: string; time: number; door: number; data: Record<string, unknown> }
// Of a cabinet's figures, what shows which one wants a look first.
export interface Health { id: string; name: string; wear: number; door: number; slowest_ms: number; free_mb: number; life_percent: number; waiting: number; failures_percent: number; version: string; uptime_ms: number }

// What is kept from one connection to the next.
interface Heard {
  heard: number;
  listened: number;  // since when we listen to it …
  deaf: number;      // … and for how long of the time since it was heard we could not: no connection, a laptop asleep
  told: string[];    // its latest events
}
interface Known extends Heard {
  name: string; place: string; total: number; vacant: number; described: boolean;
  online: boolean | null; since: number; left: number; version: string; every: number;
  trusted: boolean;  // its clock, as it says itself
  alarms: Map<string, Alarm>; doors: Map<number, Record<string, unknown>>; sizes: Map<number, string>;
  metrics: string;  // as it came: what is in it is read when somebody looks
  said: number;     // when the broker's last figures are of, by the cabinet's own clock; to be shown, not judged by
  state: State;
}

// The lower, the sooner somebody should look.
const ranks: Record<string, number> = {
  forced: 0, tamper: 0, storage: 2, ledger: 2, board_lost: 2, mains: 2, guessing: 2, jammed: 3, suspected: 3, lockout: 3,
  clock_untrusted: 4, held_open: 4, overdue: 5, worn: 6,
};
export const rankOf = (kind: string) => ranks[kind] ?? 3;
export const quiet = 9;
export const absent = 1;

const root = "locker/v1/";
const fleetTopic = "locker/fleet";
const rhythm = 60_000;
// Two of its messages may be lost before a cabinet counts as silent.
const patience = 2.5;
const slack = 10_000;
const remembered = 64;  // events of a cabinet: more than may be under way at one time
const everyLeast = 1_000;
const everyMost = 3_600_000;

const text = (v: unknown) => (typeof v === "string" ? v : "");
const moment = (v: unknown) => (typeof v === "string" ? Date.parse(v) || 0 : 0);
const record = (v: unknown): Record<string, unknown> => (v !== null && typeof v === "object" && !Array.isArray(v) ? v as Record<string, unknown> : {});

function parsed(payload: string): Record<string, unknown> | null {
  try {
    const v: unknown = JSON.parse(payload);
    return v !== null && typeof v === "object" && !Array.isArray(v) ? v as Record<string, unknown> : null;
  } catch { return null; }
}

export class Fleet {
  private cabinets = new Map<string, Known>();
  private expected = new Map<string, { name: string; place: string }>();
  private dirty = new Set<string>();
  private shown = new Map<string, string>();
  private readonly earlier = new Map<string, Heard>();

  // `began`: when we came; nobody is silent before it was listened to for long enough. `before`: what was known of the
  // connection that ended `away` ms ago: all is learnt anew, and patience goes on where it was.
  constructor(private began: number, before?: Fleet, away = 0) {
    for (const [id, c] of [...(before?.earlier ?? []), ...(before?.cabinets ?? [])])
      this.earlier.set(id, { heard: c.heard, listened: c.listened, deaf: c.deaf + away, told: c.told });
  }

  // For so long nothing could be heard: the machine slept.
  slept(ms: number) {
    this.began += ms;
    for (const c of [...this.cabinets.values(), ...this.earlier.values()]) c.deaf += ms;
  }

  expect(list: { id?: unknown; name?: unknown; place?: unknown }[]) {
    const before = [...this.expected.keys()];
    this.expected = new Map(list.filter((c) => text(c.id)).map((c) => [text(c.id), { name: text(c.name), place: text(c.place) }]));
    for (const id of [...before, ...this.expected.keys()]) this.dirty.add(id);
  }

  // A message; an event is given back, to be shown as one. `live`: it was said just now, not kept.
  take(topic: string, payload: string, live: boolean, now: number): Happening | null {
    if (topic === fleetTopic) {
      const list = parsed(payload)?.["cabinets"];
      this.expect(Array.isArray(list) ? list.map(record) : []);
      return null;
    }
    if (!topic.startsWith(root)) return null;
    const [id = "", what = "", kind = "", which = ""] = topic.slice(root.length).split("/");
    if (payload === "" && what !== "event" && !this.cabinets.has(id)) return null;
    if (what === "metrics") { this.metrics(this.known(id), payload, live, now); this.dirty.add(id); return null; }
    const m = parsed(payload);
    if (what === "event") return m && this.happened(id, m, now);
    const c = this.known(id);
    if (live) this.hear(c, now);
    this.dirty.add(id);
    if (what === "status") this.status(id, c, m, live ? now : 0);
    else if (what === "cabinet") this.facts(id, c, m);
    else if (what === "alarm") {
      const key = which ? `${kind}/${which}` : kind;
      if (m) c.alarms.set(key, { kind, which, since: moment(m["since"]), meaning: text(m["meaning"]), action: text(m["action"]) });
      else c.alarms.delete(key);
    } else if (what === "compartment") {
      if (m) c.doors.set(Number(kind), m); else c.doors.delete(Number(kind));
    }
    return null;
  }

  private known(id: string): Known {
    let c = this.cabinets.get(id);
    if (!c) {
      c = { name: "", place: "", total: 0, vacant: 0, described: false, online: null, since: 0, left: 0, version: "", every: rhythm, trusted: false, alarms: new Map(), doors: new Map(), sizes: new Map(), metrics: "", said: 0, state: "never", ...this.earlierOf(id) };
      this.cabinets.set(id, c);
    }
    return c;
  }

  private earlierOf(id: string): Heard {
    let c = this.earlier.get(id);
    if (!c) {
      c = { heard: 0, listened: this.began, deaf: 0, told: [] };
      this.earlier.set(id, c);
    }
    return c;
  }

  private hear(c: Heard, at: number) {
    c.heard = at;
    c.deaf = 0;
  }

  private metrics(c: Known, payload: string, live: boolean, now: number) {
    c.metrics = payload;
    c.every = Math.min(everyMost, Math.max(everyLeast, Number(/"every_ms":\s*(\d+)/.exec(payload)?.[1] ?? rhythm)));
    c.said = Math.min(now, moment(/"at":\s*"([^"]+)"/.exec(payload)?.[1]));
    const heard = live ? now : c.trusted ? c.said : 0;
    if (heard > c.heard) this.hear(c, heard);
  }

  // A broker, and a cabinet after an outage, may say the latest twice: null then.
  private happened(id: string, m: Record<string, unknown>, now: number): Happening | null {
    const c = this.cabinets.get(id) ?? this.earlierOf(id);  // an event alone makes no cabinet
    this.hear(c, now);
    const data = record(m["data"]);
    const time = moment(m["time"]);
    const key = `${id}/${text(m["sequence"])}/${text(m["ledgerhead"]).slice(0, 8)}`;
    if (c.told.includes(key)) return null;
    c.told.push(key);
    if (c.told.length > remembered) c.told.shift();
    return { key, cabinet: id, type: text(m["type"]).replace(/^locker\./, ""), time,
      door: typeof data["compartment"] === "number" ? data["compartment"] : 0, data };
  }

  // `now`: 0 when it is kept, so that nobody knows since when.
  private status(id: string, c: Known, m: Record<string, unknown> | null, now: number) {
    if (!m) { this.forget(id); return; }
    c.online = m["online"] === true;
    c.left = c.online ? 0 : now;
    if (c.online) {
      c.since = moment(m["since"]);
      c.version = text(m["version"]);
      c.trusted = record(m["clock"])["trusted"] === true;
    }
  }

  private facts(id: string, c: Known, m: Record<string, unknown> | null) {
    if (!m) { this.forget(id); return; }
    c.described = true;
    c.name = text(m["name"]);
    c.place = text(m["place"]);
    const list = Array.isArray(m["compartments"]) ? m["compartments"].map(record) : [];
    c.total = list.length;
    c.sizes = new Map(list.map((d) => [Number(d["number"]), text(d["size"])]));
    c.vacant = Object.values(record(m["vacancies"])).reduce((sum: number, n) => sum + (typeof n === "number" ? n : 0), 0);
    // A broker may drop some of a burst: this list tells which alarms are on, their own topics what they mean.
    if (!Array.isArray(m["alarms"])) return;
    const on = new Set(m["alarms"].map(text));
    for (const key of c.alarms.keys()) if (!on.has(key)) c.alarms.delete(key);
    for (const key of on) {
      const [kind = "", which = ""] = key.split("/");
      if (kind && !c.alarms.has(key)) c.alarms.set(key, { kind, which, since: 0, meaning: "", action: "" });
    }
  }

  // It was taken off the broker.
  private forget(id: string) {
    this.cabinets.delete(id);
    this.dirty.add(id);
  }

  private state(c: Known | undefined, now: number): State {
    if (!c || (c.online === null && !c.described)) return "never";
    if (!c.online) return "offline";
    // What is kept from a trusted clock tells at once; else it is listened to for long enough first.
    const from = (c.trusted && c.heard > 0 ? c.heard : Math.max(c.listened, c.heard)) + c.deaf;
    if (now - from > c.every * patience + slack) return "silent";
    return c.alarms.size > 0 ? "alarm" : "ok";
  }

  private tile(id: string, now: number): Tile | null {
    const c = this.cabinets.get(id);
    const wanted = this.expected.get(id);
    if (!c && !wanted) return null;
    const state = this.state(c, now);
    if (c) c.state = state;
    const alarms = c ? [...c.alarms.values()].sort((a, b) => rankOf(a.kind) - rankOf(b.kind) || a.since - b.since) : [];
    const worst = alarms[0];
    const gone = state === "never" || state === "offline" || state === "silent";
    const rank = Math.min(gone ? absent : quiet, worst ? rankOf(worst.kind) : quiet);
    const heard = c?.heard || c?.said || 0;
    const since = gone && rank === absent ? c?.left || heard : worst ? worst.since : c?.since ?? 0;
    return { id, name: wanted?.name || c?.name || id, place: wanted?.place || c?.place || "", state, rank, since, alarms,
      total: c?.total ?? 0, vacant: c?.vacant ?? 0, version: c?.version ?? "", heard, left: gone ? c?.left || heard : 0 };
  }

  // Cabinets that nothing is heard of change by that alone.
  look(now: number) {
    for (const [id, c] of this.cabinets) if (this.state(c, now) !== c.state) this.dirty.add(id);
  }

  // What has changed since the last call; null: it is gone.
  changes(now: number): { tiles: Tile[]; gone: string[] } {
    const tiles: Tile[] = [];
    const gone: string[] = [];
    for (const id of this.dirty) {
      const tile = this.tile(id, now);
      const before = this.shown.get(id);
      if (!tile) {
        if (before !== undefined) { this.shown.delete(id); gone.push(id); }
        continue;
      }
      // When it was last heard changes all the time, and is shown only once that is long ago.
      const seen = JSON.stringify({ ...tile, heard: tile.state === "ok" || tile.state === "alarm" ? 0 : tile.heard });
      if (seen === before) continue;
      this.shown.set(id, seen);
      tiles.push(tile);
    }
    this.dirty.clear();
    return { tiles, gone };
  }

  cabinet(id: string): { doors: Door[]; metrics: Metrics | null } {
    const c = this.cabinets.get(id);
    const doors = c ? [...c.sizes].map(([number, size]) => {
      const d = c.doors.get(number) ?? {};
      return { number, size, use: text(d["use"]) || "unknown", door: text(d["door"]) || "unknown", lock: text(d["lock"]) || "ok", deposit: text(d["deposit"]) || null, since: text(d["since"]) };
    }) : [];
    return { doors, metrics: c ? parsed(c.metrics) : null };
  }

  sums(): { occupied: number; total: number; online: number; cabinets: number } {
    const never = [...this.expected.keys()].filter((id) => !this.cabinets.has(id)).length;
    const out = { occupied: 0, total: 0, online: 0, cabinets: never };
    for (const c of this.cabinets.values()) {
      out.cabinets += 1;
      out.total += c.total;
      out.occupied += c.total - c.vacant;
      out.online += c.online ? 1 : 0;
    }
    return out;
  }

  health(): Health[] {
    const out: Health[] = [];
    for (const [id, c] of this.cabinets) {
      const m = parsed(c.metrics) as Metrics | null;
      if (!m) continue;
      const worst = (m.locks ?? []).reduce((a, b) => (b.wear > a.wear ? b : a), { wear: 0, compartment: 0 } as Lock);
      const buses = Object.values(m.bus ?? {});
      const asked = buses.reduce((n, b) => n + b.requests, 0);
      out.push({ id, name: this.expected.get(id)?.name || c.name || id, wear: worst.wear, door: worst.compartment, slowest_ms: (m.store?.slowest_commit_us ?? 0) / 1000,
        free_mb: m.store?.medium?.free_mb ?? -1, life_percent: m.store?.medium?.life_used_percent ?? -1, waiting: m.unpublished ?? 0,
        failures_percent: asked > 0 ? 100 * buses.reduce((n, b) => n + b.failures, 0) / asked : 0, version: c.version, uptime_ms: m.uptime_ms ?? 0 });
    }
    return out;
  }
}
