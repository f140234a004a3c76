"""The portal under many people and cabinets, while it is killed again and again, or left alone and timed."""
import http.client
import json
import multiprocessing
import os
import pathlib
import secrets
import shutil
import signal
import tempfile
import threading
import time

from cabinet_kit import Stand
from portal_kit import Browser, Portal, Refused, pages_weight

DOORS = 12


class Person(Browser):
    """A phone that tries again when nobody answers."""

    def __init__(self, origin, address):
        super().__init__(origin)
        self.address = address

    def ask(self, path, body=None, **more):
        while True:
            try:
                return super().ask(path, body, headers={"X-Forwarded-For": self.address}, **more)
            except Refused as e:
                if e.status not in (429, 503, 504):
                    raise
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.5)

    def wait(self, path, wanted, seconds=600):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            case = self.ask(path)
            if case["state"] in wanted:
                return case
            time.sleep(1)
        raise TimeoutError(f"{path} is {case['state']} ({case['deposit']}), not {wanted}")


def give_way(process):
    """Cabinets and phones are machines of their own elsewhere: here they leave the portal the processor that is its."""
    for thread in os.listdir(f"/proc/{process}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), 19)


def look(origin, phone_cookies, staff_cookies, cabinet, ended, out):
    """One more phone and one more desk, in a process of their own: what a page asks, again and again, and how long each took."""
    phone, desk = Browser(origin), Browser(origin)
    for browser, cookies in ((phone, phone_cookies), (desk, staff_cookies)):
        for cookie in cookies:
            browser.cookies.set_cookie(cookie)
    case = phone.ask("/api/cases")["cases"][0]["id"]
    took = {}
    while not ended.is_set():
        for browser, path in ((phone, f"/api/cabinets/{cabinet}"), (phone, "/api/me"), (phone, "/api/cases"), (phone, f"/api/cases/{case}"), (desk, "/api/work")):
            began = time.monotonic()
            browser.ask(path, headers={"X-Forwarded-For": "10.99.0.1"})
            took.setdefault(path.replace(case, "{id}").replace(cabinet, "{id}"), []).append(time.monotonic() - began)
            ended.wait(0.06)  # what the portal allows one address
    out.put(took)


class Look:
    def __init__(self, portal, cabinet):
        phone, desk = portal.resident("+8613700000000"), portal.worker("9000")
        phone.ask("/api/cases", {"cabinet": cabinet, "service": "residence-certificate"})
        way = multiprocessing.get_context("spawn")
        self.ended, self.out = way.Event(), way.Queue()
        self.process = way.Process(target=look, args=(portal.origin, list(phone.cookies), list(desk.cookies), cabinet, self.ended, self.out), daemon=True)
        self.process.start()

    def end(self):
        self.ended.set()
        return self.out.get(timeout=30)


def make_cabinets(count, folder, rhythm_s=5):
    first = None
    for i in range(count):
        place = folder / f"cabinet-{i}"
        place.mkdir()
        if first:
            shutil.copytree(first.keys, place / "keys")
            key = place / "keys" / "cabinet.key"
            key.write_text(secrets.token_hex(32) + "\n")
        s = Stand(folder=place, transport="tcp", doors=DOORS, cabinet=f"bench-{i}", start=False)
        s.metrics_every_s = rhythm_s
        s.mqtt_port = first.mqtt_port if first else s.mqtt_port
        s.write_config()
        sim = place / "sim.toml"
        sim.write_text(sim.read_text().replace("[line]", "[people]\npush_after_ms = 2500\n[line]"))
        if not first:
            first = s
            s.start_broker()
        s.start_sim()
        s.start_daemon(wait_online=False)
        for part in (s.sim, s.daemon):
            give_way(part.popen.pid)
        yield s


def open_door(person, path, done):
    """Until the ledger says so: an answer may be lost with the portal, a door may be in use."""
    while True:
        try:
            person.ask(path, {"at_door": True})
        except Refused as e:
            if e.code not in ("wrong_state", "no_vacancy", "jammed", "unknown_outcome"):
                raise
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if done():
                return
            time.sleep(1)


def resident(n, p, s, left):
    me = Person(p.origin, f"10.0.{n // 250}.{n % 250 + 1}")
    phone = f"+86139{n:08}"
    me.ask("/api/sign-in/code", {"phone": phone})
    while True:
        codes = [x for x in me.ask(f"/api/trial/inbox?phone=%2B{phone[1:]}")["notices"] if x["template"] == "sign_in"]
        try:
            me.csrf = me.ask("/api/sign-in", {"phone": phone, "code": codes[0]["parameters"]["code"]})["csrf"]
            break
        except (Refused, IndexError):  # the answer was lost with the portal, and the code with it
            time.sleep(61)
            me.ask("/api/sign-in/code", {"phone": phone})
    case = me.ask("/api/cases", {"cabinet": s.cabinet, "service": "residence-certificate"})["id"]
    path = f"/api/cases/{case}"
    open_door(me, f"{path}/open", lambda: me.ask(path)["state"] != "awaiting_papers")
    if me.ask(path)["state"] == "papers_in":
        me.ask(f"{path}/confirm", {})
    me.wait(path, ("ready",))
    while me.ask(path)["state"] == "ready":
        try:
            opened = s.enter(me.ask(f"{path}/code", {})["code"])["ok"]
        except Refused:
            opened = False  # it has been collected meanwhile
        # Nobody types a code again that has opened the door: the keypad would call it guessing.
        end = time.monotonic() + (60 if opened else 4)
        while time.monotonic() < end and me.ask(path)["state"] == "ready":
            time.sleep(1)
    me.wait(path, ("done",))
    told = [x["template"] for x in me.ask("/api/inbox")["notices"]].count("ready")
    left.append((n, told))


def twice(notices):
    """Those that tell the same of the same."""
    told = [(n["template"], json.dumps(n["parameters"], sort_keys=True)) for n in notices if n["template"] != "sign_in"]
    return sorted({t for t in told if told.count(t) > 1})


def worker(p, cabinet, number, ended):
    me = Person(p.origin, f"10.9.0.{number % 250 + 1}")
    while True:
        try:
            me.csrf = me.ask("/api/staff/sign-in", {"number": str(number), "password": "a long password", "totp": p.totp_of(str(number))})["csrf"]
            break
        except Refused:
            pass
    while not ended.is_set():
        for c in me.ask(f"/api/work?cabinet={cabinet}")["cases"]:
            path = f"/api/work/{c['id']}"
            try:
                if c["state"] in ("submitted", "with_staff"):
                    me.ask(f"{path}/open", {"size": "S"})
                elif c["state"] == "returning":
                    me.ask(f"{path}/confirm", {})
            except Refused:
                pass  # somebody stands there, or it has moved on
        ended.wait(1)
    doubled = twice(me.ask("/api/work/inbox")["notices"])
    if doubled:
        raise RuntimeError(f"told twice: {doubled}")


def run_pages(report, _):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cloud-locker-bench-", dir="/dev/shm"))
    portal = None
    stand = Stand(folder=folder)
    try:
        portal = Portal(stand)
        times = [pages_weight(portal) for _ in range(5)]
    finally:
        if portal:
            portal.end()
        stand.close()
        shutil.rmtree(folder, ignore_errors=True)
    report.conditions("pages: the residents' page in Chromium, nothing cached, \"slow 3G\" (400 ms, 400 kbit/s), the slowest of five")
    report.row("everything it loads", max(t["bytes"] for t in times) / 1024, "KiB", 60)
    report.row("until the services can be tapped", max(t["usable_ms"] for t in times), "ms", 2000)


def run_portal(report, arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cloud-locker-bench-", dir="/dev/shm"))
    cabinets, portal, looking, took = [], None, None, {}
    ended, left, failed, kills = threading.Event(), [], [], 0
    try:
        cabinets = list(make_cabinets(arguments.cabinets, folder))
        portal = Portal(cabinets[0], cabinets=cabinets[1:], http="behind_proxy = true\n", start=False)
        numbers = range(5000, 5000 + len(cabinets))
        for number in numbers:
            portal.add_staff(str(number), "bench", "worker")
        portal.start()
        for s in cabinets:
            portal.wait_online(cabinet=s.cabinet)

        def guarded(what, *args):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
            try:
                what(*args)
            except Exception as e:  # noqa: BLE001: told at the end
                failed.append(f"{what.__name__} {args[0] if isinstance(args[0], int) else ''}: {e!r}")

        staff = [threading.Thread(target=guarded, args=(worker, portal, s.cabinet, n, ended), daemon=True) for s, n in zip(cabinets, numbers)]
        people = [threading.Thread(target=guarded, args=(resident, n, portal, cabinets[n % len(cabinets)], left), daemon=True)
                  for n in range(arguments.residents)]
        if not arguments.kill_every:
            looking = Look(portal, cabinets[0].cabinet)
        for t in (*staff, *people):
            t.start()
        began = time.monotonic()
        while any(t.is_alive() for t in people):
            time.sleep(arguments.kill_every or 1)
            if arguments.kill_every and any(t.is_alive() for t in people):
                portal.end(signal.SIGKILL)
                portal.start(online=False)
                kills += 1
        took_s = time.monotonic() - began
        took = looking.end() if looking else {}
        ended.set()
        for t in staff:
            t.join(30)
    finally:
        ended.set()
        if portal:
            portal.end()
        for s in cabinets:
            s.close()
        shutil.rmtree(folder, ignore_errors=True)
    told = [n for _, n in left]
    conditions = f"{arguments.residents} residents, {arguments.cabinets} cabinets, " + (f"{kills} kills" if arguments.kill_every else "left alone")
    report.conditions(f"portal: {conditions}, {took_s:.0f} s; state in memory; cabinets and phones give way to the portal (nice 19)")
    report.row("cases done", len(left), "", arguments.residents)
    report.row("notices 'ready' for each", sum(told), "", arguments.residents)
    everything = sorted(t for times in took.values() for t in times)
    for path, times in (("all of them", everything), *sorted(took.items())):
        if times:
            times = sorted(times)
            report.row(f"GET {path}, p99 of {len(times)}", 1000 * times[int(len(times) * 0.99)], "ms", 50)
            report.row(f"GET {path}, p50", 1000 * times[len(times) // 2], "ms", 50)
    for line in failed:
        print(f"portal: {line}")
    if failed or len(left) != arguments.residents or any(n != 1 for n in told):
        raise RuntimeError("a case is stuck, or a notice was lost or doubled")
