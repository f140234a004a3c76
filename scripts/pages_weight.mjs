// What a phone loads before the residents' page is of use, and how long that takes on a line as slow as "slow 3G".
// Usage: node pages_weight.mjs '{"origin","cabinet","chromium","modules"}'; prints {"bytes","usable_ms"}.
import { createRequire } from "node:module";
import { join } from "node:path";

const given = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(given.modules, "package.json"))("playwright-core");
const slow3g = { offline: false, latency: 400, downloadThroughput: 400_000 / 8, uploadThroughput: 400_000 / 8 };  // as Chromium's own preset

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
try {
  const page = await (await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "zh-CN" })).newPage();
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  await client.send("Network.emulateNetworkConditions", slow3g);
  let bytes = 0;
  client.on("Network.loadingFinished", (e) => { bytes += e.encodedDataLength; });
  await page.addInitScript(() => {  // the page's own clock, from the tap on: ours looks only now and then
    const watch = new MutationObserver(() => {
      if (!document.querySelector("button[aria-expanded]")) return;  // the services can be tapped
      watch.disconnect();
      requestAnimationFrame(() => { globalThis.usable = Math.round(performance.now()); });
    });
    watch.observe(document, { childList: true, subtree: true });
  });
  await page.goto(`${given.origin}/c/${given.cabinet}`, { waitUntil: "networkidle" });
  await page.waitForFunction(() => globalThis.usable !== undefined);
  const usable_ms = await page.evaluate(() => globalThis.usable);
  console.log(JSON.stringify({ bytes, usable_ms }));
} finally {
  await browser.close();
}
