// The dashboard as whoever sits before it sees it, in headless Chromium. Whoever started us is asked for what happens
// in the world, a line of JSON each way.
// Usage: node dashboard.mjs '{"origin","chromium","modules","shots","account"?,"cabinet","staff"?}'
import assert from "node:assert/strict";
import { chromium, end, given, look as lookAt, seen, world } from "./browser.mjs";

const look = (page, name) => lookAt(page, `ops-${name}`, { fullPage: false });
const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1600, height: 900 }, locale: "zh-CN" });
const page = await context.newPage();
page.on("request", (r) => { if (!/^(data|blob):/.test(r.url())) seen.hosts.add(new URL(r.url()).host); });
page.on("websocket", (w) => seen.hosts.add(new URL(w.url()).host));
page.on("pageerror", (e) => seen.errors.push(String(e)));
page.on("console", (m) => { if (m.type() === "error" && !/status of (4|5)\d\d|WebSocket connection to/.test(m.text())) seen.errors.push(m.text()); });
page.setDefaultTimeout(20000);

const tile = (id, state) => page.locator(`.tile[data-id="${id}"][data-state="${state}"]`);
await page.goto(`${given.origin}/ops`);
// A wrong account is refused in words; the right one looks.
await page.getByLabel("账号").waitFor();
await look(page, "connect");
await page.getByLabel("账号").fill(given.account[0]);
await page.getByLabel("密码").fill("wrong");
await page.getByRole("button", { name: "连接" }).click();
await page.getByRole("alert").waitFor();
await page.getByLabel("账号").fill(given.account[0]);
await page.getByLabel("密码").fill(given.account[1]);
await page.getByRole("button", { name: "连接" }).click();
await tile(given.cabinet, "ok").waitFor();
// The one that somebody forgot to switch on stands first.
await tile("never-1", "never").waitFor();
assert.equal(await page.locator(".tile").first().getAttribute("data-id"), "never-1");

await world("force", { door: 3 });
await tile(given.cabinet, "alarm").waitFor();
assert.equal(await page.locator(".tile").first().getAttribute("data-id"), given.cabinet);
await page.getByText("柜门被撬开").first().waitFor();
await look(page, "fleet");

await page.getByRole("link", { name: /^告警/ }).click();
await page.locator(".alarm").first().waitFor();
assert.match(await page.locator(".alarm").first().textContent(), /3 号柜.*马上到场/s);
await look(page, "alarms");

await page.getByRole("link", { name: /^全部柜子/ }).click();
await tile(given.cabinet, "alarm").click();
await page.locator('.box[data-door="3"][data-state="open"]').waitFor();
assert.equal(await page.locator(".box").count(), 12);
await world("shut", { door: 3 });
await page.locator('.box[data-door="3"][data-state="closed"]').waitFor();
await page.getByRole("heading", { name: "锁具" }).waitFor();
await look(page, "cabinet");

// Opened from afar: asked for here by one, approved on another's screen.
assert.match(await page.locator("main").textContent(), /需要先登录工作台/);
await world("sign_in", {}).then(async ({ cookie }) => context.addCookies([{ ...cookie, url: given.origin }]));
await page.reload();
await page.getByLabel("柜门号").fill("5");
await page.getByLabel(/^原因/).fill("居民的钥匙落在柜里");
await page.getByRole("button", { name: "申请" }).click();
await page.getByText("5 号门：等待另一位同事同意").waitFor();
const other = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "zh-CN" });
const phone = await other.newPage();
phone.on("pageerror", (e) => seen.errors.push(String(e)));
await world("sign_in", { second: true }).then(async ({ cookie }) => other.addCookies([{ ...cookie, url: given.origin }]));
await phone.goto(`${given.origin}/work`);
await phone.getByText(/5 号门，9000 申请：居民的钥匙落在柜里/).waitFor();
await look(phone, "approval");
await phone.getByRole("button", { name: "同意并开门" }).click();
await phone.getByRole("button", { name: "柜前有人？再点一次开门" }).click();
await page.locator('.box[data-door="5"][data-state="open"]').waitFor();
await other.close();
await world("shut", { door: 5 });

await page.getByRole("link", { name: "事件", exact: true }).click();
await page.locator(".stream li").filter({ hasText: "门已打开" }).first().waitFor();
await page.getByLabel("类别").selectOption("door");
assert.equal(await page.locator(".stream li").filter({ hasText: "门已打开" }).count(), 0);
await look(page, "events");
await page.getByRole("link", { name: "使用情况", exact: true }).click();
await page.locator(".plot canvas").first().waitFor();
await look(page, "use");
await page.getByRole("link", { name: "健康", exact: true }).click();
await page.locator("tbody tr").first().waitFor();
await look(page, "health");

// By the keyboard alone: from the first tile to its cabinet and back.
await page.goto(`${given.origin}/ops/#/`);
await tile(given.cabinet, "alarm").waitFor();
for (let i = 0; i < 30 && !(await page.evaluate(() => document.activeElement?.classList.contains("tile"))); i += 1) await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.locator(".front").waitFor();

// The same files from the broker's own folder, without any portal: nothing else is needed, and no door is offered.
const alone = await (await browser.newContext({ locale: "en-GB" })).newPage();
alone.on("pageerror", (e) => seen.errors.push(String(e)));
await alone.goto(`${given.alone}/#/c/${given.cabinet}`);
await alone.getByLabel("Account").fill(given.account[0]);
await alone.getByLabel("Password").fill(given.account[1]);
await alone.getByRole("button", { name: "Connect" }).click();
await alone.locator('.box[data-door="3"][data-state="closed"]').waitFor();
await alone.getByText("Doors are opened from afar in the portal.").waitFor();
await alone.context().close();

// The broker goes and comes: it says so, and tells what happened meanwhile.
await page.goto(`${given.origin}/ops/#/`);
await world("cut");
await page.locator('[data-link="down"]').waitFor();
await world("mend");
await page.locator('[data-link="up"]').waitFor();
await tile(given.cabinet, "alarm").waitFor();
await world("off");
await page.getByText(/离线|柜门被撬开/).first().waitFor();
await page.getByRole("button", { name: /^失联 2/ }).click();
await page.getByRole("button", { name: "English" }).click();
await page.getByText("Away").first().waitFor();
await look(page, "away-en");

// Statistics: what the city asked for.
await page.goto(`${given.origin}/admin/statistics`);
await page.locator(".plot canvas").first().waitFor();
await page.getByRole("table").waitFor();
await look(page, "statistics");
await browser.close();
end();
