"""What lockerd costs its board: memory, processor, wake-ups, sizes, start; bytes and syncs on the card; the ledger's speed."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from bench_kit import Cabinet, Secure, filesystem_of, machine, read_ms, silence_ms
from bench_line import close_all, put_papers_in
from cabinet_kit import BIN, wait_for


def tasks(pid):
    return [int(t) for t in os.listdir(f"/proc/{pid}/task")]


def switches(pid):
    """How often its threads gave the processor up to wait: each is woken once for it."""
    total = 0
    for t in tasks(pid):
        for line in open(f"/proc/{pid}/task/{t}/status", encoding="utf-8"):
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def processor_s(pid):
    fields = open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid):
    out = {}
    for line in open(f"/proc/{pid}/smaps_rollup", encoding="utf-8"):
        words = line.split()
        if words[0].endswith(":") and len(words) == 3:
            out[words[0][:-1]] = int(words[1])
    return out


def under_load(cabinet, pid, seconds):
    """Processor share while a door is opened and shut every second."""
    used, began = processor_s(pid), time.monotonic()
    number = 0
    while time.monotonic() - began < seconds:
        number = number % 96 + 1
        at = time.monotonic()
        if not cabinet.open("open", compartment=number)["ok"]:
            raise RuntimeError(f"door {number} did not open")
        cabinet.push(number)
        time.sleep(max(0, 1 - (time.monotonic() - at)))
    return (processor_s(pid) - used) / (time.monotonic() - began) * 100


def run_size(report, options):
    doors = 96
    for baud in options.bauds:
        cabinet = Secure(doors, baud)
        try:
            cabinet.begin()
            began = time.monotonic()
            cabinet.start_daemon(wait_online=False)
            wait_for(lambda c=cabinet: (c.mqtt.state("status") or {}).get("online"), what="online")
            online = time.monotonic() - began
            wait_for(lambda c=cabinet: all((c.mqtt.state(f"compartment/{n}") or {}).get("door") == "closed"
                                           for n in range(1, doors + 1)), 60, "every door known")
            known = time.monotonic() - began
            pid = cabinet.daemon.popen.pid
            pid = next((int(p) for p in open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8").read().split()), pid)
            time.sleep(5)
            woken, used, at = switches(pid), processor_s(pid), time.monotonic()
            time.sleep(options.seconds)
            passed = time.monotonic() - at
            report.conditions(f"size: {machine()}; {doors} doors on 6 boards at {baud} baud, MQTT 5 over TLS, idle for {passed:.0f} s")
            name = f"size.{baud}"
            report.row(f"{name}.cpu", (processor_s(pid) - used) / passed * 100, "% of core", 1 if baud <= 9600 else 3)
            # One for the silence before each question, one for its answer, three a second for Paho's own timers.
            report.row(f"{name}.wakeups", (switches(pid) - woken) / passed, "1/s", 2 * 1000 / read_ms(baud) + 3)
            report.row(f"{name}.cpu_under_load", under_load(cabinet, pid, options.seconds), "% of core", 1 if baud <= 9600 else 3)
            memory = memory_kib(pid)
            report.row(f"{name}.pss", memory["Pss"] / 1024, "MiB", 9)
            report.row(f"{name}.private_dirty", memory["Private_Dirty"] / 1024, "MiB", 4)
            report.row(f"{name}.rss", memory["Rss"] / 1024, "MiB", 16)
            report.row(f"{name}.threads", len(tasks(pid)), "threads", 4)
            report.row(f"{name}.start_to_online", online * 1000, "ms", 200)
            drop_and_cycle = 6 * (16 * 10 * 1000 / baud + 2 * silence_ms(baud) + read_ms(baud))
            report.row(f"{name}.every_door_known", (known - online) * 1000, "ms", 1.2 * drop_and_cycle)
        finally:
            cabinet.close()
    stripped = pathlib.Path(tempfile.mkdtemp()) / "lockerd"
    subprocess.run(["strip", "-o", stripped, BIN / "lockerd"], check=True)
    report.row("size.binary", stripped.stat().st_size / 1024 / 1024, "MiB", 3)
    shutil.rmtree(stripped.parent)


class Traced(Cabinet):
    """On the disk, lockerd's syncs written down by strace with the time of each."""

    def __init__(self, *args, **more):
        super().__init__(*args, in_memory=False, **more)
        self.syncs_file = self.folder / "syncs"
        self.wrapper = ["strace", "-f", "--seccomp-bpf", "-qq", "-ttt", "-e", "trace=fsync,fdatasync", "-o", self.syncs_file]

    def lockerd(self):
        children = open(f"/proc/{self.daemon.popen.pid}/task/{self.daemon.popen.pid}/children", encoding="utf-8").read().split()
        return int(children[0])

    def close(self):
        if self.daemon and self.daemon.running():
            os.kill(self.lockerd(), signal.SIGTERM)  # strace ends with it, not the other way round
            self.daemon.popen.wait(15)
        super().close()

    def syncs(self, begin=0.0, end=float("inf")):
        """Between two moments of the wall clock."""
        times = [float(l.split()[1]) for l in self.syncs_file.read_text().splitlines() if re.search(r"f(data)?sync\(", l)]
        return sum(begin <= t <= end for t in times)


def written_bytes(pid):
    return int(re.search(r"^write_bytes: (\d+)", open(f"/proc/{pid}/io", encoding="utf-8").read(), re.M).group(1))


def run_wear(report, options):
    doors = 240
    cabinet = Traced(doors, 115200)
    try:
        cabinet.begin()
        cabinet.start_daemon()
        pid = cabinet.lockerd()
        report.conditions(f"wear: {machine()}; {doors} doors, the state on {filesystem_of(cabinet.folder)}; {options.retrievals} "
                          "retrievals, one begun every 0.3 s; syncs by strace, bytes from /proc/PID/io")
        syncs = written = done = rounds = 0
        before_pulse = []
        while done < options.retrievals:
            held = put_papers_in(cabinet, min(doors - doors // 10 - 1, options.retrievals - done), f"w{rounds}")
            codes = {n: cabinet.code(d) for n, d in held.items()}
            time.sleep(2)
            began, from_bytes = time.time(), written_bytes(pid)
            before_pulse += retrieve(cabinet, held, codes)
            time.sleep(62)  # who forgot something may come back for a minute: then the retrieval is over, the door free
            syncs += cabinet.syncs(began, time.time())
            written += written_bytes(pid) - from_bytes
            done += len(held)
            rounds += 1
        report.row("wear.syncs_per_retrieval", syncs / done, "syncs", 3.2)
        report.row("wear.kib_per_retrieval", written / done / 1024, "KiB", 56)
        report.row("wear.syncs_before_pulse.max", max(before_pulse), "syncs", 1)
    finally:
        cabinet.close()


def retrieve(cabinet, held, codes):
    """Each code is entered, its door shut two seconds later. For the first of them, alone: the syncs before its pulse."""
    before_pulse, open_since = [], {}
    for i, (number, _) in enumerate(held.items()):
        entered = time.time()
        reply = cabinet.enter(codes[number])
        if not reply["ok"]:
            raise RuntimeError(str(reply))
        if i < 3:
            energised = time.time() - (time.monotonic() - cabinet.door(number)["energised_us"] / 1e6)
            before_pulse.append(cabinet.syncs(entered, energised))
            time.sleep(2)
            close_all(cabinet)
            time.sleep(2)
            continue
        open_since[number] = time.monotonic()
        time.sleep(max(0, 0.3 - (time.time() - entered)))
        for n in [n for n, at in open_since.items() if time.monotonic() - at > 2]:
            cabinet.push(n)
            del open_since[n]
    time.sleep(2)
    close_all(cabinet)
    for deposit in held.values():
        cabinet.mqtt.event("deposit.retrieved", deposit=deposit, seconds=60)
    return before_pulse


def run_ledger(report, options):
    with tempfile.TemporaryDirectory(prefix="cloud-locker-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        said = subprocess.run(["setpriv", "--pdeathsig", "TERM", str(BIN.parent / "tests" / "ledger_bench"), "--events", str(options.events), "--folder", folder],
                              check=True, capture_output=True, text=True).stdout
    value = {name: float(number) for name, number in (line.split() for line in said.splitlines())}
    if value["out_of_order"] or value["published"] != value["stored"] or value["replayed"] != value["stored"]:
        raise RuntimeError("events are missing or out of order:\n" + said)
    report.conditions(f"ledger: {machine()}; engine, core of 96 doors and SQLite in memory; {value['stored']:.0f} events, the broker "
                      "acknowledges at once")
    report.row("ledger.commit", value["commit_seconds"] / value["stored"] * 1e6, "us/event", 1000)
    report.row("ledger.publish", value["publish_seconds"] / value["stored"] * 1e6, "us/event", 50)
    report.row("ledger.replay", value["replay_seconds"] / value["stored"] * 1e6, "us/event", 50)
    burst(report)


def run_locks(report, options):
    said = subprocess.run([str(BIN.parent / "tests" / "lock_bench"), str(options.seeds), str(options.years)],
                          check=True, capture_output=True, text=True).stdout
    v = json.loads(said)
    report.conditions(f"locks: the model of tests/bench/lock_model.hpp; {v['worn_locks']} locks that wear out within 3,000 cycles, "
                      f"{v['healthy_lock_years']} lock-years of healthy ones ({v['healthy_cycles']} cycles); seeds from 1")
    report.row("locks.not_told_before_first_jam", 1 - v["told_before_the_first_jam"] / v["worn_locks"], "share", 0.1)
    report.row("locks.not_told_before_first_retry", 1 - v["told_before_the_first_retry"] / v["worn_locks"], "share", 0.1)
    report.row("locks.false_alarms", v["false_alarms"] / v["healthy_lock_years"] * 100, "in 100 lock-years", 1)
    report.row("locks.life_left_when_told_median", v["lead_median"], "share", 1)


def burst(report):
    """A thousand events while the broker was away, through a real broker to a real client, in order."""
    cabinet = Cabinet(96, 115200)
    try:
        cabinet.begin()
        cabinet.start_daemon()
        cabinet.broker.end()
        head = cabinet.mqtt.head()
        while head_of(cabinet) - head < 1000:
            for n in range(1, 97):
                cabinet.ask_sim(do="pull", door=n)
            time.sleep(0.8)
            close_all(cabinet)
            time.sleep(1.3)
        want = head_of(cabinet)
        cabinet.start_broker()
        cabinet.mqtt.wait(lambda: cabinet.mqtt.head() > head, 30, "the first event")
        began = time.monotonic()
        cabinet.mqtt.wait(lambda: cabinet.mqtt.head() >= want, 60, "the last event")
        took = time.monotonic() - began
        fresh = [s for s in dict.fromkeys(cabinet.mqtt.arrived) if s > head]
        if fresh != list(range(head + 1, fresh[-1] + 1)):
            raise RuntimeError("a burst came out of order")
        report.conditions(f"ledger: a burst of {want - head} events, lockerd to Mosquitto to a Python client; reference 20,000 a second")
        report.row("ledger.burst", took / (want - head) * 1e6, "us/event", 50)
    finally:
        cabinet.close()


def head_of(cabinet):
    return int(json.loads(cabinet.ctl("--json", "status"))["sequence"])
