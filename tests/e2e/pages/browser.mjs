// What the walks in a browser share: asking whoever started us for what happens outside, and looking at a page in every
// way that people see it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const given = JSON.parse(process.argv[2]);
const require = createRequire(join(given.modules, "package.json"));
export const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(given.shots, { recursive: true });

export const seen = { hosts: new Set(), axe: [], errors: [] };

// What people do outside the pages, and what happens to the network: a line of JSON each way.
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export async function world(what, more = {}) {
  console.log(JSON.stringify({ do: what, ...more }));
  const said = JSON.parse((await answers.next()).value);
  assert.ok(said.ok, `${what}: ${JSON.stringify(said)}`);
  return said;
}

// Each page in light and dark, in both sizes of type, and on the narrowest phone.
export async function look(page, name, { fullPage = true } = {}) {
  await page.evaluate(axe);
  const size = page.viewportSize();
  for (const scheme of ["light", "dark"]) {
    for (const large of [false, true]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.evaluate((on) => document.documentElement.classList.toggle("large", on), large);
      const called = `${name}-${scheme}${large ? "-large" : ""}`;
      await page.screenshot({ path: join(given.shots, `${called}.png`), fullPage });
      const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const v of found.violations) seen.axe.push(`${called}: ${v.id}: ${v.nodes.map((n) => n.html).join(" | ").slice(0, 300)}`);
      await page.setViewportSize({ width: 320, height: 568 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > 320) seen.axe.push(`${called}: ${wide} px wide on a screen of 320`);
      if (!fullPage) await page.screenshot({ path: join(given.shots, `${called}-phone.png`) });
      await page.setViewportSize(size);
    }
  }
  await page.evaluate(() => document.documentElement.classList.toggle("large", false));
  await page.emulateMedia({ colorScheme: "light" });
}

export function end() {
  console.log(JSON.stringify({ do: "end", axe: seen.axe, errors: seen.errors, hosts: [...seen.hosts].sort() }));
  process.exit(0);
}
