// The dashboard's model, under virtual time: who is away, who is silent, what ended, what is shown again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";

const web = new URL("../../../portal/web/", import.meta.url);
const { transformSync } = createRequire(new URL("package.json", web))("esbuild");
const code = transformSync(readFileSync(new URL("src/ops/fleet.ts", web), "utf8"), { loader: "ts", format: "esm" }).code;
const { Fleet } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const began = Date.parse("2026-11-24T09:00:00Z");
const minute = 60_000;
const at = (minutes) => new Date(began + minutes * minute).toISOString();

function world() {
  const fleet = new Fleet(began);
  const say = (id, what, body, { live = true, now = began } = {}) => fleet.take(`locker/v1/${id}/${what}`, body === "" ? "" : JSON.stringify(body), live, now);
  const tiles = (now = began) => { fleet.look(now); return fleet.changes(now); };
  const tile = (id, now = began) => tiles(now).tiles.find((t) => t.id === id);
  const enter = (id, options) => {
    say(id, "status", { online: true, epoch: "e", version: "1", clock: { trusted: true }, since: at(-60) }, options);
    say(id, "cabinet", { name: `Cabinet ${id}`, place: "Gate", help: "", compartments: [{ number: 1, size: "S", accessible: false }, { number: 2, size: "M", accessible: false }], vacancies: { S: 1, M: 0, L: 0 }, alarms: [] }, options);
  };
  return { fleet, say, tiles, tile, enter };
}

test("a cabinet that should be there and never said a word is missed, and is found once it speaks", () => {
  const { fleet, enter, tile } = world();
  fleet.take("locker/fleet", JSON.stringify({ cabinets: [{ id: "a", name: "North", place: "Gate" }] }), false, began);
  assert.deepEqual([tile("a").state, fleet.changes(began).tiles.length], ["never", 0]);
  enter("a");
  const t = tile("a");
  assert.deepEqual([t.state, t.name, t.total, t.vacant], ["ok", "North", 2, 1]);
});

test("offline is told at once; since when, if that was heard", () => {
  const { enter, say, tile } = world();
  enter("a");
  tile("a");
  say("a", "status", { online: false }, { now: began + 5 * minute });
  assert.deepEqual([tile("a", began + 5 * minute).state, tile("a", began + 5 * minute)], ["offline", undefined]);
  const other = world();
  other.say("b", "status", { online: false }, { live: false });
  other.say("b", "metrics", { at: at(-600), every_ms: minute }, { live: false });
  const b = other.tile("b");
  assert.deepEqual([b.state, b.left, other.tile("b")], ["offline", began - 600 * minute, undefined]);  // as its last figures say
});

test("what a trusted clock kept tells at once that nothing has come for long", () => {
  const { enter, say, tile } = world();
  enter("a", { live: false });
  say("a", "metrics", { at: at(-60), every_ms: minute }, { live: false });
  assert.equal(tile("a").state, "silent");
  say("a", "metrics", { at: at(0), every_ms: minute });
  assert.equal(tile("a").state, "ok");
});

test("one that says it is online and is not heard for two and a half of its rhythms is silent", () => {
  const { enter, say, tile } = world();
  enter("a", { live: false });
  say("a", "metrics", { at: "2031-01-01T00:00:00.000Z", every_ms: minute }, { live: false });  // its clock is wrong
  assert.equal(tile("a").state, "ok");
  assert.equal(tile("a", began + 2 * minute), undefined);
  assert.equal(tile("a", began + 3 * minute).state, "silent");
  say("a", "metrics", { at: at(4), every_ms: minute }, { now: began + 4 * minute });
  assert.equal(tile("a", began + 4 * minute).state, "ok");
  say("a", "metrics", { at: at(4), every_ms: 60 * minute }, { now: began + 4 * minute });
  assert.equal(tile("a", began + 60 * minute), undefined);  // it speaks once an hour
});

test("alarms by how soon somebody should look; gone when they end; a forced door goes before one that is away", () => {
  const { enter, say, tile } = world();
  enter("a");
  say("a", "alarm/worn/2", { since: at(-90), meaning: "m", action: "a" });
  say("a", "alarm/storage", { since: at(-30), meaning: "m", action: "a" });
  const t = tile("a");
  assert.deepEqual([t.state, t.alarms.map((x) => x.kind), t.rank], ["alarm", ["storage", "worn"], 2]);
  say("a", "alarm/storage", "");
  say("a", "alarm/worn/2", "");
  assert.equal(tile("a").state, "ok");
  say("a", "alarm/forced/1", { since: at(-1), meaning: "m", action: "a" });
  say("a", "status", { online: false });
  assert.deepEqual([tile("a").rank], [0]);
});

test("a cabinet that was taken off the broker goes; what is no JSON, or of another form, changes nothing", () => {
  const { fleet, enter, say, tiles } = world();
  enter("a");
  tiles();
  for (const nonsense of ["{", "[]", "7", "null", "\"x\""]) {
    fleet.take("locker/v1/a/metrics", nonsense, true, began);
    fleet.take("locker/v1/a/event/x", nonsense, true, began);
  }
  fleet.take("locker/v1/a/cabinet", JSON.stringify({ name: 7, compartments: "x", vacancies: null }), true, began);
  fleet.take("elsewhere", "{}", true, began);
  assert.deepEqual(tiles().gone, []);
  for (const topic of ["cabinet", "compartment/1", "alarm/storage", "metrics", "status"]) say("a", topic, "");
  for (const topic of ["metrics", "alarm/storage"]) say("a", topic, "");  // in any order
  assert.deepEqual(tiles(), { tiles: [], gone: ["a"] });
});

test("events carry what is shown of them, doors are in the order of the contract", () => {
  const { enter, say, fleet } = world();
  enter("a");
  const e = say("a", "event/opening.opened", { type: "locker.opening.opened", sequence: "00000000000000000007", time: at(0), data: { compartment: 2, by: "code" } });
  assert.deepEqual([e.key, e.type, e.door], ["a/00000000000000000007/", "opening.opened", 2]);
  say("a", "compartment/2", { use: "occupied", door: "open", lock: "ok", deposit: "d-1", since: at(0) });
  assert.deepEqual(fleet.cabinet("a").doors.map((d) => [d.number, d.size, d.use, d.door]), [[1, "S", "unknown", "unknown"], [2, "M", "occupied", "open"]]);
});

test("after a reconnect patience goes on where it was; the time without a connection, or asleep, is not counted", () => {
  const { fleet, enter, say } = world();
  enter("a", { live: false });
  enter("b", { live: false });
  for (const id of ["a", "b"]) say(id, "status", { online: true, clock: { trusted: false } });  // no clock to go by
  fleet.changes(began);
  const again = new Fleet(began + 12 * minute, fleet, 10 * minute);  // heard for two minutes, ten without a network
  for (const id of ["a", "b"]) again.take(`locker/v1/${id}/status`, JSON.stringify({ online: true, clock: { trusted: false } }), false, began + 12 * minute);
  const states = (now) => { again.look(now); return again.changes(now).tiles.map((t) => `${t.id} ${t.state}`); };
  assert.deepEqual(states(began + 12 * minute), ["a ok", "b ok"]);
  again.take("locker/v1/b/metrics", JSON.stringify({ every_ms: minute }), true, began + 12.5 * minute);
  assert.deepEqual(states(began + 13 * minute), ["a silent"]);  // three minutes in all, not three more
  again.slept(60 * minute);
  assert.deepEqual(states(began + 74 * minute), []);
  assert.deepEqual(states(began + 76 * minute), ["b silent"]);
});

test("what an untrusted clock kept tells nothing: it is listened to for long enough", () => {
  const { enter, say, tile } = world();
  enter("a", { live: false });
  say("a", "status", { online: true, clock: { trusted: false } }, { live: false });
  say("a", "metrics", { at: at(-4), every_ms: minute }, { live: false });
  assert.equal(tile("a").state, "ok");
  assert.equal(tile("a", began + 3 * minute).state, "silent");
});

test("a rhythm is believed from a second to an hour", () => {
  for (const [every, waits] of [[1e15, 160], [0, 1]]) {
    const { enter, say, tile } = world();
    enter("a");
    say("a", "metrics", { at: at(0), every_ms: every });
    assert.equal(tile("a").state, "ok");
    assert.equal(tile("a", began + waits * minute).state, "silent", String(every));
  }
});

test("the cabinet's own list tells of alarms whose topics were lost, and of those that ended", () => {
  const { enter, say, tile, fleet } = world();
  enter("a");
  const list = (alarms) => say("a", "cabinet", { name: "A", place: "", compartments: [], vacancies: {}, alarms });
  list(["forced/3", "storage"]);
  assert.deepEqual(tile("a").alarms.map((x) => [x.kind, x.which, x.meaning]), [["forced", "3", ""], ["storage", "", ""]]);
  say("a", "alarm/forced/3", { since: at(-1), meaning: "m", action: "a" });
  list(["forced/3"]);
  assert.deepEqual(tile("a").alarms.map((x) => [x.kind, x.meaning]), [["forced", "m"]]);
  list([]);
  assert.equal(tile("a").state, "ok");
  say("a", "alarm/worn/1", { since: at(-1), meaning: "m", action: "a" });
  fleet.take("locker/v1/a/cabinet", JSON.stringify({ name: "A", compartments: [], vacancies: {} }), true, began);  // of a release before
  assert.equal(tile("a").state, "alarm");
});

test("an event that is said twice is taken once; a ledger that was restored is heard again", () => {
  const { enter, say } = world();
  enter("a");
  const event = (n, minutes, head) => say("a", "event/opening.opened", { type: "locker.opening.opened", sequence: String(n).padStart(20, "0"), time: at(minutes), ledgerhead: head, data: {} });
  assert.ok(event(7, 1, "aaaaaaaaaa"));
  assert.equal(event(7, 1, "aaaaaaaaaa"), null);
  assert.ok(event(8, 0, "bbbbbbbbbb"));  // the clock was set back
  assert.equal(event(7, 1, "aaaaaaaaaa"), null);
  assert.equal(event(8, 0, "bbbbbbbbbb"), null);
  const anew = event(7, 5, "dddddddddd");
  assert.equal(anew.key, "a/00000000000000000007/dddddddd");
});
