"""The dashboard before a thousand cabinets: some of them real, the others what those say under other names."""
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import paho.mqtt.client as mqtt

from bench_kit import machine
from bench_portal import make_cabinets
from cabinet_kit import ROOT, wait_for
from portal_kit import Portal

ALARMS = 10
SCROLL_MS = 15_000


class Echo:
    """What each real cabinet says is said again by its share of others. Runs as a process of its own that leaves the
    browser its processor: cabinets are other machines elsewhere."""

    def __init__(self, port, real, cabinets, said):
        self.clones = {c: [f"{c}-{i:03}" for i in range(1, cabinets // len(real) + (n < cabinets % len(real)))] for n, c in enumerate(real)}
        self.said = said
        self.client = mqtt.Client(client_id="echo")
        self.client.on_connect = lambda client, *_: client.subscribe("locker/v1/+/#", 0)
        self.client.on_message = self.heard
        self.client.connect("127.0.0.1", port)

    def heard(self, _client, _user, m):
        _, _, cabinet, kind, *rest = m.topic.split("/")
        # A door that is forced is forced here alone, so that the page has one to find among all.
        if kind in ("command", "reply") or (kind == "alarm" and rest[0] in ("forced", "suspected")):
            return
        said = m.payload
        if kind == "cabinet":
            facts = json.loads(m.payload)
            facts["alarms"] = [a for a in facts["alarms"] if a.split("/")[0] not in ("forced", "suspected")]
            said = json.dumps(facts).encode()
        for clone in self.clones.get(cabinet, ()):
            payload = said.replace(f'"locker/v1/{cabinet}"'.encode(), f'"locker/v1/{clone}"'.encode())
            if kind == "cabinet":
                payload = payload.replace(b'"Demo cabinet"', f'"{clone}"'.encode())
            self.client.publish("/".join(["locker", "v1", clone, kind, *rest]), payload, 0, kind != "event")
            self.said.value += 1


def echo(port, real, cabinets, said):
    os.nice(19)
    Echo(port, real, cabinets, said).client.loop_forever()


class Watcher:
    def __init__(self, portal, cabinets, shots):
        given = {"origin": portal.origin, "chromium": shutil.which("chromium"), "modules": str(ROOT / "portal" / "web"), "cabinets": cabinets, "shots": shots}
        self.node = subprocess.Popen(["node", ROOT / "scripts" / "dashboard_watch.mjs", json.dumps(given)], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)

    def hear(self, seconds=120):
        guard = threading.Timer(seconds, self.node.kill)
        guard.start()
        line = self.node.stdout.readline()
        guard.cancel()
        if not line:
            raise RuntimeError("the browser ended: see above")
        return json.loads(line)

    def ask(self, **order):
        self.node.stdin.write(json.dumps(order) + "\n")
        self.node.stdin.flush()
        return self.hear()

    def close(self):
        if self.node.poll() is None:
            self.node.stdin.write('{"do":"end"}\n')
            self.node.stdin.flush()
            self.node.wait(20)


def keep_busy(cabinets, stop):
    """Papers go in and out of the first cabinets all the time."""
    n = 0
    while not stop.is_set():
        for c in cabinets[:3]:
            n += 1
            try:
                door = c.put_in(f"busy-{n}")
                if c.enter(c.code(f"busy-{n}"))["ok"]:
                    c.take_out(f"busy-{n}", door)
            except (RuntimeError, TimeoutError, KeyError, OSError, ValueError):
                if not stop.is_set():
                    time.sleep(1)


def time_alarms(watcher, cabinets, rounds):
    """Forced doors of real cabinets: from the contact's movement, and from the cabinet's word, to the page."""
    moved, told = [], []
    for i in range(rounds):
        c = cabinets[3 + i % (len(cabinets) - 3)]
        door = 1 + i // (len(cabinets) - 3)
        heard = {}
        c.mqtt.client.message_callback_add(f"{c.mqtt.root}/alarm/forced/{door}", lambda *_, h=heard: h.setdefault("at", time.time()))
        begin = time.time()
        c.ask_sim(do="pull", door=door)
        at = watcher.ask(do="seen", cabinet=c.cabinet)["at"] / 1000
        wait_for(lambda h=heard: "at" in h, what="the alarm")
        moved.append((at - begin) * 1000)
        told.append((at - heard["at"]) * 1000)
    return moved, told


def run_dashboard(report, arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cloud-locker-bench-", dir="/dev/shm"))
    cabinets, portal, others, watcher, stop = [], None, None, None, threading.Event()
    busy = None
    try:
        cabinets = list(make_cabinets(arguments.real, folder, rhythm_s=60))
        for c in cabinets:
            c.mqtt = c.listener()
        portal = Portal(cabinets[0], cabinets=cabinets[1:])
        for c in cabinets:
            wait_for(lambda c=c: c.mqtt.state("metrics"), 60, "metrics")
        said = multiprocessing.Value("L", 0)
        others = multiprocessing.Process(target=echo, args=(cabinets[0].mqtt_port, [c.cabinet for c in cabinets], arguments.cabinets, said), daemon=True)
        others.start()
        wait_for(lambda: said.value >= 15 * (arguments.cabinets - len(cabinets)), 120, "the others")
        busy = threading.Thread(target=keep_busy, args=(cabinets, stop), daemon=True)
        busy.start()
        before, began = said.value, time.monotonic()
        watcher = Watcher(portal, arguments.cabinets, arguments.shots)
        ready = watcher.hear()["ready"]
        moved, told = time_alarms(watcher, cabinets, min(ALARMS, len(cabinets) - 3))
        scrolled = watcher.ask(do="scroll", ms=SCROLL_MS)
        rate = (said.value - before) / (time.monotonic() - began)
        report.conditions(f"dashboard: {arguments.cabinets} cabinets of 12 doors, {len(cabinets)} of them real lockerd and lockersim, the others what those say "
                          f"under other names, some {rate:.0f} messages a second, all of that at nice 19; Chromium on the same machine ({machine()}), nothing cached")
        report.row("until a screen is full of cabinets", ready["first"], "ms", 2000)
        report.row("until all of them are counted", ready["whole"], "ms", 2000)
        report.row("a door forced, to its alarm on the page (worst)", max(moved), "ms", 1000)
        report.row("the cabinet's word, to the page (worst)", max(told), "ms", 1000)
        report.row(f"processor time of the longest task, {SCROLL_MS // 1000} s of scrolling", scrolled["work"], "ms", 50)
        report.row(f"the longest task, waiting for a processor included", max([0, *scrolled["long"]]), "ms", 50)
        report.row("longest gap between frames", scrolled["longest_gap"], "ms", 50)
        report.row("tiles in the page at once", scrolled["tiles"], "", arguments.cabinets)
    finally:
        stop.set()
        if watcher:
            watcher.close()
        if others:
            others.terminate()
            others.join(10)
        if portal:
            portal.end()
        for c in reversed(cabinets):
            c.close()
        shutil.rmtree(folder, ignore_errors=True)
