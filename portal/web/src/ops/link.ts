// The worker: holds the connection to the broker and what it says, so that neither a burst of a thousand cabinets nor
// their stream ever holds up the page.
import mqtt, { type MqttClient } from "mqtt";
import { Fleet, type Door, type Happening, type Health, type Metrics, type Tile } from "./fleet";

export interface Account { url: string; username: string; password: string }
export type Order =
  | { do: "connect"; account: Account; expected: { id: string; name: string; place: string }[] }
  | { do: "watch"; cabinet: string }
  | { do: "health" }
  | { do: "leave" };
export interface Sample { at: number; occupied: number; total: number; online: number; cabinets: number; put: number; taken: number }
export type LinkState = "connecting" | "up" | "down" | "refused";
export type News =
  | { what: "link"; state: LinkState; why: string }
  | { what: "fresh" }  // all tiles follow anew
  | { what: "tiles"; tiles: Tile[]; gone: string[] }
  | { what: "events"; list: Happening[] }
  | { what: "cabinet"; id: string; doors: Door[]; metrics: Metrics | null }
  | { what: "health"; list: Health[] }
  | { what: "samples"; list: Sample[] };

const first = ["locker/fleet", "locker/v1/+/status", "locker/v1/+/cabinet", "locker/v1/+/alarm/+", "locker/v1/+/alarm/+/+"];
const second = ["locker/v1/+/event/+", "locker/v1/+/metrics"];
// ms: how long changes are gathered. What somebody should see at once, and what is only exact.
const soon = 50;
const later = 400;
const lookEvery = 5_000;
const sampleEvery = 30_000;
const samplesMost = 24 * 60 * 2;
const asleep = 30_000;  // a look that comes so late: the machine slept
const refusedCodes = new Set([4, 5, 134, 135]);  // MQTT 3.1.1 table 3.1, v5 2.4

const tell = (news: News) => postMessage(news);

let client: MqttClient | null = null;
let expected: { id: string; name: string; place: string }[] = [];
let fleet = new Fleet(Date.now());
let heardUntil = Date.now();  // while the connection was there
let looked = Date.now();
let events: Happening[] = [];
let watched = "";
let watchedChanged = false;
let wanted = false;
let flushing = 0;
let put = 0;
let taken = 0;
const samples: Sample[] = [];

function flush() {
  flushing = 0;
  const changed = fleet.changes(Date.now());
  if (changed.tiles.length > 0 || changed.gone.length > 0) tell({ what: "tiles", ...changed });
  if (events.length > 0) { tell({ what: "events", list: events }); events = []; }
  if (watchedChanged) { watchedChanged = false; tell({ what: "cabinet", id: watched, ...fleet.cabinet(watched) }); }
  if (wanted) {
    const list = fleet.health();
    wanted = list.length === 0;  // then as soon as there are figures
    tell({ what: "health", list });
  }
}

let flushAt = 0;
function flushWithin(ms: number) {
  const at = Date.now() + ms;
  if (flushing !== 0 && flushAt <= at) return;
  clearTimeout(flushing);
  flushAt = at;
  flushing = setTimeout(flush, ms) as unknown as number;
}

function take(topic: string, payload: string, retained: boolean) {
  const happened = fleet.take(topic, payload, !retained, Date.now());
  if (happened) {
    count(happened);
    events.push(happened);
    if (events.length > 500) events = events.slice(-500);
  }
  const seen = watched !== "" && topic.startsWith(`locker/v1/${watched}/`);
  if (seen) watchedChanged = true;
  flushWithin(seen || (!retained && /\/(status|alarm)(\/|$)/.test(topic)) ? soon : later);
}

// When it happened, not when it came: a cabinet tells later what it did without a network.
function count(happened: Happening) {
  const late = happened.time <= (samples[samples.length - 1]?.at ?? 0);
  if (late && happened.time < (samples[0]?.at ?? 0) - sampleEvery) return;  // before there were samples
  const of = late ? samples.find((s) => s.at >= happened.time) : undefined;
  if (happened.type === "deposit.deposited") { if (of) of.put += 1; else put += 1; }
  if (happened.type === "deposit.retrieved") { if (of) of.taken += 1; else taken += 1; }
}

function sample() {
  samples.push({ at: Date.now(), ...fleet.sums(), put, taken });
  put = taken = 0;
  if (samples.length > samplesMost) samples.shift();
  tell({ what: "samples", list: samples });
}

function connect(account: Account) {
  client?.end(true);
  tell({ what: "link", state: "connecting", why: "" });
  // 3.1.1: every broker speaks it, and nothing of v5 is wanted here. Clean: what is retained is told again.
  const mine = mqtt.connect(account.url, { protocolVersion: 4, clean: true, keepalive: 20, reconnectPeriod: 3_000, connectTimeout: 10_000,
    username: account.username || undefined, password: account.username ? account.password : undefined,
    clientId: `dashboard-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`, timerVariant: "native", queueQoSZero: false, resubscribe: false });
  client = mine;
  mine.on("connect", () => {
    // What ended while we were away is not told: all is learnt anew.
    const now = Date.now();
    fleet = new Fleet(now, fleet, Math.max(0, now - heardUntil));
    heardUntil = now;
    fleet.expect(expected);
    tell({ what: "fresh" });
    tell({ what: "link", state: "up", why: "" });
    // The picture first, then what it is made of.
    mine.subscribe(first, { qos: 0 }, (wrong, granted) => {
      if (wrong || granted?.every((g) => g.qos === 128)) {
        tell({ what: "link", state: "refused", why: "the account may not read locker/v1/+/…" });
        return;
      }
      mine.subscribe(second, { qos: 0 });
      if (watched) mine.subscribe(`locker/v1/${watched}/compartment/+`, { qos: 0 });
      // The first picture as soon as the burst of what is kept has come.
      flushWithin(soon);
      setTimeout(sample, 1_500);
    });
  });
  mine.on("message", (topic, payload, packet) => take(topic, new TextDecoder().decode(payload), packet.retain));
  mine.on("error", (wrong) => {
    const code = (wrong as { code?: unknown }).code;
    if (typeof code === "number" && refusedCodes.has(code)) {
      mine.end(true);
      tell({ what: "link", state: "refused", why: wrong.message });
    }
  });
  mine.on("close", () => { if (client === mine && !mine.disconnecting) tell({ what: "link", state: "down", why: "" }); });
}

setInterval(() => {
  const now = Date.now();
  const late = now - looked - lookEvery;
  if (late > asleep && now - heardUntil < late + 2 * lookEvery) { fleet.slept(late); heardUntil += late; }
  looked = now;
  if (client?.connected) { heardUntil = now; fleet.look(now); flushWithin(later); }
}, lookEvery);
setInterval(() => { if (client?.connected) sample(); }, sampleEvery);

onmessage = (message: MessageEvent<Order>) => {
  const order = message.data;
  switch (order.do) {
    case "connect":
      expected = order.expected;
      connect(order.account);
      break;
    case "watch":
      if (watched && client?.connected) client.unsubscribe(`locker/v1/${watched}/compartment/+`);
      watched = order.cabinet;
      watchedChanged = watched !== "";
      if (watched && client?.connected) client.subscribe(`locker/v1/${watched}/compartment/+`, { qos: 0 });
      flushWithin(soon);
      break;
    case "health":
      wanted = true;
      flushWithin(soon);
      break;
    case "leave":
      client?.end(true);
      client = null;
      break;
  }
};
