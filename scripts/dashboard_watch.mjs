// The dashboard before many cabinets, timed by its own page. Whoever started us is told "ready", forces doors, and says
// when to end; lines of JSON each way.
// Usage: node dashboard_watch.mjs '{"origin","chromium","modules","cabinets","shots"?}'
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const given = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(given.modules, "package.json"))("playwright-core");
const asked = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (o) => console.log(JSON.stringify(o));
const shot = async (page, name) => { if (given.shots) await page.screenshot({ path: join(given.shots, `${name}.png`) }); };

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
try {
  const page = await (await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: "zh-CN", bypassCSP: true })).newPage();
  await page.addInitScript((all) => {
    globalThis.seen = { first: 0, whole: 0, alarms: {}, long: [] };
    new PerformanceObserver((list) => { for (const e of list.getEntries()) globalThis.seen.long.push({ at: e.startTime, ms: e.duration }); }).observe({ type: "longtask", buffered: true });
    const look = () => {
      const tiles = document.querySelectorAll(".tile");
      const counted = Number(document.querySelector(".chip strong")?.textContent ?? 0);
      // A screen full of cabinets in their true state; then all of them counted.
      if (!globalThis.seen.first && tiles.length >= 40) requestAnimationFrame(() => { globalThis.seen.first ||= performance.now(); });
      if (!globalThis.seen.whole && counted >= all) requestAnimationFrame(() => { globalThis.seen.whole ||= performance.now(); });
      for (const t of tiles) {
        const id = t.dataset.id;
        if (t.classList.contains("bad") && t.dataset.state === "alarm" && !globalThis.seen.alarms[id]) globalThis.seen.alarms[id] = Date.now();
      }
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
  }, given.cabinets);
  await page.goto(`${given.origin}/ops/`);
  await page.waitForFunction(() => globalThis.seen.whole > 0, null, { timeout: 120000 });
  await shot(page, "thousand");
  say({ ready: await page.evaluate(() => ({ first: globalThis.seen.first, whole: globalThis.seen.whole })) });
  for await (const line of asked) {
    const order = JSON.parse(line);
    if (order.do === "seen") {
      await page.waitForFunction((id) => globalThis.seen.alarms[id] > 0, order.cabinet, { timeout: 20000 });
      say({ at: await page.evaluate((id) => globalThis.seen.alarms[id], order.cabinet) });
    } else if (order.do === "scroll") {
      await page.mouse.move(900, 700);
      // What of a task is the page's own work and what is waiting for a processor, the trace tells.
      const trace = await page.context().newCDPSession(page);
      const traced = [];
      trace.on("Tracing.dataCollected", (e) => traced.push(...e.value));
      await trace.send("Tracing.start", { categories: "toplevel,devtools.timeline", transferMode: "ReportEvents" });
      const from = await page.evaluate(() => performance.now());
      // As a hand on a wheel does: on and on, down and up again; the page counts its frames meanwhile.
      await page.evaluate(() => { globalThis.frames = []; const turn = (now) => { globalThis.frames.push(now); globalThis.counting = requestAnimationFrame(turn); }; turn(performance.now()); });
      const began = Date.now();
      let down = true;
      for (let i = 0; Date.now() - began < order.ms; i += 1) {
        await page.mouse.wheel(0, down ? 240 : -240);
        await new Promise((r) => setTimeout(r, 30));
        if (i % 60 === 59) down = !down;
      }
      const frames = await page.evaluate(() => { cancelAnimationFrame(globalThis.counting); return globalThis.frames; });
      const whole = new Promise((done) => { trace.once("Tracing.tracingComplete", done); });
      await trace.send("Tracing.end");
      await whole;
      const main = traced.find((e) => e.name === "FireAnimationFrame");
      const tasks = traced.filter((e) => e.ph === "X" && e.tid === main.tid && e.pid === main.pid && e.name.endsWith("RunTask"));
      const work = Math.max(...tasks.map((e) => (e.tdur ?? 0) / 1000));
      const long = await page.evaluate((since) => globalThis.seen.long.filter((l) => l.at >= since).map((l) => l.ms), from);
      await shot(page, "scrolled");
      const gaps = frames.slice(1).map((t, i) => t - frames[i]);
      say({ work, long, frames: frames.length, longest_gap: Math.max(...gaps), height: await page.evaluate(() => document.documentElement.scrollHeight), tiles: await page.evaluate(() => document.querySelectorAll(".tile").length) });
    } else {
      break;
    }
  }
} finally {
  await browser.close();
}
process.exit(0);
