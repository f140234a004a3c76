// The whole story in three browsers, as people see it: resident, grid worker, administrator. Real stack, headless Chromium.
// Usage: node story.mjs '{"origin","cabinet","staff","password","chromium","modules","shots"}'
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { chromium, end, given, look, seen, world } from "./browser.mjs";

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

const words = {
  zh: { begin: "办理此项", send: "发送验证码", phone: "手机号", code: "六位验证码", signIn: "登录", atDoor: "我已站在柜子前", open: "打开柜门", deposited: "确认资料已投递",
    submitted: "已投递，等工作人员来取", withStaff: "工作人员办理中", ready: "办好了，请来取", done: "已办结", showCode: "显示取件码", large: "大字", service: "居住证明", shut: "柜门已关好。",
    number: "工号", password: "密码", totp: "动态码（6 位）", take: "开门取资料", back: "办好了，放回柜子", returned: "已放好，通知居民", admin: "管理", sure: "已在柜前？再点一次开门", slip: "用二维码开门", takeSlip: "二维码（柜子离线时）", offline: "柜子暂时连不上网", waits: "已记下。柜子联网后自动确认。", rooms: ["柜子", "工作人员", "事项目录", "通知", "隐私与访问记录"], sticker: "打印二维码贴纸" },
  en: { begin: "Begin", send: "Send a code", phone: "Phone number", code: "Six-digit code", signIn: "Sign in", atDoor: "I am standing at the cabinet", open: "Open a door", deposited: "Documents deposited",
    submitted: "Deposited; staff will fetch them", withStaff: "Being handled", ready: "Ready: please collect", done: "Done", showCode: "Show the pickup code", large: "Large type", service: "Certificate of residence", shut: "The door is shut.",
    number: "Staff number", password: "Password", totp: "Authenticator code (6 digits)", take: "Open and take", back: "Done: put back into the cabinet", returned: "It lies there: tell the resident", admin: "Administration", sure: "At the cabinet? Tap again to open", slip: "Open by QR code", takeSlip: "QR code (cabinet offline)", offline: "The cabinet is offline just now", waits: "Noted. It is confirmed as soon as the cabinet is online.", rooms: ["Cabinets", "Staff", "Catalogue", "Notices", "Privacy and access log"], sticker: "Print its sticker" },
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

// Staff are asked once more: they tap in an office, too.
async function openAsStaff(page, w, name) {
  await page.getByRole("button", { name }).click();
  await page.getByRole("button", { name: w.sure }).click();
}

async function story(browser, language, phone) {
  const w = words[language];
  const options = { locale: language === "zh" ? "zh-CN" : "en-GB" };
  const [resident, worker, ops] = [await newPage(browser, options), await newPage(browser, options), await newPage(browser, { ...options, viewport: { width: 1200, height: 900 } })];
  const shot = (page, name) => look(page, `${language}-${name}`);
  await resident.goto(`${given.origin}/c/${given.cabinet}`);
  await resident.getByRole("button", { name: w.large }).click();
  await resident.reload();
  assert.ok(await resident.locator(":root.large").count());  // it is remembered
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
  await openAsStaff(worker, w, w.take);
  await worker.locator(".state", { hasText: w.withStaff }).waitFor();
  await shot(worker, "7-review");
  await resident.locator(".state", { hasText: w.withStaff }).waitFor();  // by itself
  await openAsStaff(worker, w, w.back);
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
  await shot(ops, "10-cabinets");
  await ops.getByRole("link", { name: w.sticker }).first().click();
  await ops.locator(".sticker .qr").waitFor();
  await shot(ops, "11-sticker");
  const scanned = await world("read", { image: await shotOf(ops.locator(".sticker .qr")) });
  assert.equal(scanned.text, `${given.origin}/c/${given.cabinet}`);
  await ops.goBack();
  for (const [i, room] of w.rooms.entries()) {
    await ops.getByRole("navigation", { name: w.admin }).getByRole("link", { name: room, exact: true }).click();
    await ops.getByRole("heading", { level: 1, name: room, exact: true }).waitFor();
    if (i > 0) await shot(ops, `${11 + i}-${i}`);
  }
  for (const page of [resident, worker, ops]) await page.context().close();
}

let shots = 0;
async function shotOf(element) {
  const path = join(given.shots, `qr-${++shots}.png`);
  await element.screenshot({ path });
  return path;
}

// The cabinet's uplink is cut at each step: the pages say what to do, the QR codes and the nine digits work, and all
// ends right when it is back.
async function cutOff(browser, phone) {
  const w = words.zh;
  const [resident, worker] = [await newPage(browser), await newPage(browser)];
  const scan = async (page) => {
    await page.locator(".qr").scrollIntoViewIfNeeded();
    await world("scan", { image: await shotOf(page.locator(".qr")) });
  };
  await signInStaff(worker, w, "4711");
  await resident.goto(`${given.origin}/c/${given.cabinet}`);
  await resident.getByRole("button", { name: w.service }).click();
  await resident.getByRole("button", { name: w.begin }).click();
  await signInResident(resident, w, phone);
  await resident.getByLabel(w.atDoor).waitFor();
  await world("cut");
  await resident.getByText(w.offline).waitFor();
  await resident.getByLabel(w.atDoor).check();
  await resident.getByRole("button", { name: w.slip }).click();
  await look(resident, "cut-1-slip");
  await scan(resident);
  await resident.getByRole("button", { name: w.deposited }).click();
  await resident.getByText(w.waits).waitFor();
  await look(resident, "cut-2-noted");
  await world("mend");
  await resident.locator(".state", { hasText: w.submitted }).waitFor();

  await worker.getByRole("link", { name: w.service }).last().click();
  await worker.getByRole("button", { name: w.take }).waitFor();
  await world("cut");
  await worker.locator("button:disabled", { hasText: w.take }).waitFor();
  await worker.getByRole("button", { name: w.takeSlip }).click();
  await look(worker, "cut-3-staff-slip");
  await scan(worker);
  await world("mend");
  await worker.locator(".state", { hasText: w.withStaff }).waitFor();
  await worker.getByRole("button", { name: w.back }).waitFor();
  await world("cut");
  await worker.locator("button:disabled", { hasText: w.back }).waitFor();
  await worker.getByRole("button", { name: w.takeSlip }).click();
  await scan(worker);
  await worker.getByRole("button", { name: w.returned }).click();
  await worker.getByText(w.waits).waitFor();
  await world("mend");
  await resident.locator(".state", { hasText: w.ready }).waitFor();

  await world("cut");
  await resident.getByText(w.offline).waitFor();
  await resident.getByRole("button", { name: w.showCode }).click();
  await look(resident, "cut-4-code");
  await world("type", { text: (await resident.locator(".code").textContent()).replace(/ /g, "") });
  await world("mend");
  await resident.locator(".state", { hasText: w.done }).waitFor();
  for (const page of [resident, worker]) await page.context().close();
}

// From the sticker to an open door, and from the worklist to the papers in hand, with the keyboard alone.
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
  await page.getByText(w.shut).waitFor();
  await reach(page.getByRole("button", { name: w.deposited }));
  await page.keyboard.press("Enter");
  await page.locator(".state", { hasText: w.submitted }).waitFor();

  await page.goto(`${given.origin}/work`);
  await page.getByLabel(w.number).waitFor();
  await reach(page.getByLabel(w.number));
  await page.keyboard.type("4711");
  await reach(page.getByLabel(w.password));
  await page.keyboard.type(given.password);
  await reach(page.getByLabel(w.totp));
  await page.keyboard.type(await totp("4711"));
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: w.service }).first().waitFor();
  await reach(page.getByRole("link", { name: w.service }).first());
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: w.take }).waitFor();
  await reach(page.getByRole("button", { name: w.take }));
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");  // once more: it asks whether they stand there
  await page.locator(".state", { hasText: w.withStaff }).waitFor();
  await page.context().close();
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
try {
  await story(browser, "zh", "13800138001");
  await story(browser, "en", "13800138002");
  await keyboard(browser, "13800138003");
  await cutOff(browser, "13800138004");
} finally {
  await browser.close();
}
end();
