// The whole story in three browsers, as people see it: resident, grid worker, administrator. Real stack, headless Chromium.
// Usage: node story.mjs '{"origin","cabinet","staff","password","chromium","modules","shots"}'
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const given = JSON.parse(process.argv[2]);
const require = createRequire(join(given.modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(given.shots, { recursive: true });

const seen = { hosts: new Set(), axe: [], errors: [] };

// RFC 6238, each step once.
const used = {};
async function totp(number) {
  const key = Buffer.from([...given.staff[number]].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("").match(/.{8}/g).map((b) => parseInt(b, 2)));
  let step = Math.floor(Date.now() / 30000);
  if (used[number] !== undefined && step <= used[number]) step = used[number] + 1;
  while (Math.floor(Date.now() / 30000) < step - 1) await new Promise((r) => setTimeout(r, 500));
  used[number] = step;
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac("sha1", key).update(counter).digest();
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1000000).padStart(6, "0");
}

async function oneTimeCode(phone) {
  const inbox = await (await fetch(`${given.origin}/api/trial/inbox?phone=${encodeURIComponent(phone)}`)).json();
  return inbox.notices.find((n) => n.template === "sign_in").parameters.code;
}

async function newPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "zh-CN", ...options });
  const page = await context.newPage();
  page.on("request", (r) => { if (!r.url().startsWith("data:")) seen.hosts.add(new URL(r.url()).host); });
  page.on("pageerror", (e) => seen.errors.push(String(e)));
  page.on("console", (m) => { if (m.type() === "error" && !/status of (4|5)\d\d/.test(m.text())) seen.errors.push(m.text()); });
  page.setDefaultTimeout(20000);
  return page;
}

async function look(page, name) {
  await page.screenshot({ path: join(given.shots, `${name}.png`), fullPage: true });
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of found.violations) seen.axe.push(`${name}: ${v.id}: ${v.nodes.map((n) => n.html).join(" | ").slice(0, 300)}`);
}

const words = {
  zh: { begin: "办理此项", send: "发送验证码", phone: "手机号", code: "六位验证码", signIn: "登录", atDoor: "我已站在柜子前", open: "打开柜门", deposited: "确认资料已投递",
    submitted: "已投递，等工作人员来取", withStaff: "工作人员办理中", ready: "办好了，请来取", done: "已办结", showCode: "显示取件码", large: "大字", service: "居住证明", shut: "柜门已关好。",
    number: "工号", password: "密码", totp: "动态码（6 位）", take: "开门取资料", back: "办好了，放回柜子", returned: "已放好，通知居民", admin: "管理", ask: "要求补充资料" },
  en: { begin: "Begin", send: "Send a code", phone: "Phone number", code: "Six-digit code", signIn: "Sign in", atDoor: "I am standing at the cabinet", open: "Open a door", deposited: "Documents deposited",
    submitted: "Deposited; staff will fetch them", withStaff: "Being handled", ready: "Ready: please collect", done: "Done", showCode: "Show the pickup code", large: "Large type", service: "Certificate of residence", shut: "The door is shut.",
    number: "Staff number", password: "Password", totp: "Authenticator code (6 digits)", take: "Open and take", back: "Done: put back into the cabinet", returned: "It lies there: tell the resident", admin: "Administration", ask: "Ask for more papers" },
};

async function signInResident(page, w, phone) {
  await page.getByLabel(w.phone).fill(phone);
  await page.getByRole("button", { name: w.send }).click();
  await page.getByLabel(w.code).waitFor();
  await page.getByLabel(w.code).fill(await oneTimeCode(phone));
  await page.getByRole("button", { name: w.signIn, exact: true }).click();
}

async function signInStaff(page, w, number) {
  await page.goto(`${given.origin}/work`);
  await page.getByLabel(w.number).fill(number);
  await page.getByLabel(w.password).fill(given.password);
  await page.getByLabel(w.totp).fill(await totp(number));
  await page.getByRole("button", { name: w.signIn, exact: true }).click();
  await page.getByRole("navigation").waitFor();
}

async function story(browser, language, look_, phone) {
  const w = words[language];
  const options = { locale: language === "zh" ? "zh-CN" : "en-GB", colorScheme: look_.dark ? "dark" : "light" };
  const [resident, worker, ops] = [await newPage(browser, options), await newPage(browser, options), await newPage(browser, { ...options, viewport: { width: 1200, height: 900 } })];
  const shot = (page, name) => look(page, `${language}-${look_.name}-${name}`);
  await resident.goto(`${given.origin}/c/${given.cabinet}`);
  if (look_.large) await resident.getByRole("button", { name: w.large }).click();
  await resident.getByRole("button", { name: w.service }).click();
  await shot(resident, "1-services");
  await resident.getByRole("button", { name: w.begin }).click();
  await shot(resident, "2-sign-in");
  await signInResident(resident, w, phone);
  await resident.getByRole("button", { name: w.open, exact: true }).waitFor();
  await shot(resident, "3-papers");
  assert.ok(await resident.getByRole("button", { name: w.open, exact: true }).isDisabled());  // not before they stand there
  await resident.getByLabel(w.atDoor).check();
  await resident.getByRole("button", { name: w.open, exact: true }).click();
  await resident.locator(".door.open").waitFor();
  await shot(resident, "4-door-open");
  await resident.getByText(w.shut).waitFor();
  await resident.getByRole("button", { name: w.deposited }).click();
  await resident.locator(".state", { hasText: w.submitted }).waitFor();
  await shot(resident, "5-submitted");

  await signInStaff(worker, w, "4711");
  await worker.getByRole("link", { name: w.service }).first().waitFor();
  await shot(worker, "6-worklist");
  await worker.getByRole("link", { name: w.service }).first().click();
  await worker.getByRole("button", { name: w.take }).click();
  await worker.locator(".state", { hasText: w.withStaff }).waitFor();
  await shot(worker, "7-review");
  await resident.locator(".state", { hasText: w.withStaff }).waitFor();  // by itself
  await worker.getByRole("button", { name: w.back }).click();
  await worker.getByText(w.shut).waitFor();
  await worker.getByRole("button", { name: w.returned }).click();
  await worker.locator(".state", { hasText: w.ready }).waitFor();
  await resident.locator(".state", { hasText: w.ready }).waitFor();
  await resident.getByRole("button", { name: w.showCode }).click();
  await resident.locator(".code").waitFor();
  assert.match((await resident.locator(".code").textContent()).trim(), /^\d{3} \d{3} \d{3}$/);
  await shot(resident, "8-pickup");
  await resident.getByLabel(w.atDoor).check();
  await resident.getByRole("button", { name: w.open, exact: true }).click();
  await resident.locator(".state", { hasText: w.done }).waitFor({ timeout: 30000 });
  await shot(resident, "9-done");

  await signInStaff(ops, w, "9000");
  await ops.getByRole("link", { name: w.admin, exact: true }).click();
  await ops.getByText(given.cabinet, { exact: true }).waitFor();
  await shot(ops, "10-administration");
  for (const page of [resident, worker, ops]) await page.context().close();
}

// From the sticker to an open door with the keyboard alone.
async function keyboard(browser, phone) {
  const w = words.zh;
  const page = await newPage(browser);
  const reach = async (target) => {
    for (let i = 0; i < 80; ++i) {
      if (await target.evaluate((e) => e === document.activeElement).catch(() => false)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not reach ${target}`);
  };
  await page.goto(`${given.origin}/c/${given.cabinet}`);
  await page.getByRole("button", { name: w.service }).waitFor();
  await reach(page.getByRole("button", { name: w.service }));
  await page.keyboard.press("Enter");
  await reach(page.getByRole("button", { name: w.begin }));
  await page.keyboard.press("Enter");
  await page.getByLabel(w.phone).waitFor();
  await reach(page.getByLabel(w.phone));
  await page.keyboard.type(phone);
  await page.keyboard.press("Enter");
  await page.getByLabel(w.code).waitFor();
  await reach(page.getByLabel(w.code));
  await page.keyboard.type(await oneTimeCode(phone));
  await page.keyboard.press("Enter");
  await page.getByLabel(w.atDoor).waitFor();
  await reach(page.getByLabel(w.atDoor));
  await page.keyboard.press("Space");
  await reach(page.getByRole("button", { name: w.open, exact: true }));
  await page.keyboard.press("Enter");
  await page.locator(".door.open").waitFor();
  await page.context().close();
}

// What a phone loads before it is of use, on a line as slow as "slow 3G" (400 ms, 400 kbit/s).
async function weight(browser) {
  const page = await newPage(browser);
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  await client.send("Network.emulateNetworkConditions", { offline: false, latency: 400, downloadThroughput: 50000, uploadThroughput: 50000 });
  let bytes = 0;
  client.on("Network.loadingFinished", (e) => { bytes += e.encodedDataLength; });
  const began = Date.now();
  await page.goto(`${given.origin}/c/${given.cabinet}`, { waitUntil: "commit" });
  await page.getByRole("button", { name: words.zh.service }).waitFor();
  const usable = Date.now() - began;
  await page.waitForTimeout(500);
  await page.context().close();
  return { bytes, usable_ms: usable };
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
try {
  const measured = await weight(browser);
  if (given.only !== "weight") {
    await story(browser, "zh", { name: "light", dark: false, large: false }, "13800138001");
    await story(browser, "en", { name: "dark-large", dark: true, large: true }, "13800138002");
    await keyboard(browser, "13800138003");
  }
  console.log(JSON.stringify({ ...measured, hosts: [...seen.hosts], axe: seen.axe, errors: seen.errors }));
} finally {
  await browser.close();
}
