"""What the world does to a daemon in years: no space, no memory, no clock, a disk that is read-only or damaged. Each time it
comes up again or says in one sentence why not, no door opens, and the ledger's verification tells the truth."""
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from cabinet_kit import BIN, PRESET, Process, wait_for
from preload import preload

MIB = 1024 * 1024


class Disk:
    """A file system of its own for a stand's state folder, in a mount namespace that a sleeping process keeps."""

    def __init__(self, folder, mib):
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.root = os.geteuid() == 0
        unshare = ["unshare", "--mount"] if self.root else ["unshare", "--mount", "--user", "--map-root-user"]
        self.holder = Process([*unshare, "sh", "-c", f"mount -t tmpfs -o size={mib}m tmpfs '{self.state}' && echo mounted && exec sleep infinity"],
                              folder / "disk.log")
        wait_for(lambda: "mounted" in self.holder.text(), what="a disk of its own")
        wait_for(lambda: pathlib.Path(f"/proc/{self.holder.popen.pid}/comm").read_text().strip() == "sleep", what="its holder")
        user = [] if self.root else ["--user", "--preserve-credentials"]
        self.enter = ["nsenter", f"--target={self.holder.popen.pid}", "--mount", *user, "--"]

    def run(self, *args, check=True):
        return subprocess.run([*self.enter, *[str(a) for a in args]], capture_output=True, text=True, check=check)

    def fill(self, leave_kib=0):
        free = int(self.run("df", "--output=avail", "-k", self.state).stdout.split()[1])
        self.run("sh", "-c", f"head -c {(free - leave_kib) * 1024} /dev/zero > {self.state}/junk")

    def empty(self):
        self.run("rm", "-f", self.state / "junk")

    def close(self):
        self.holder.end()


@pytest.fixture
def on_disk(stand, tmp_path):
    """A stand whose state lies on a disk of so many MiB. Its control socket is outside."""
    disks = []

    def make(mib):
        disk = Disk(tmp_path, mib)
        disks.append(disk)
        s = stand(folder=tmp_path, start=False, wrapper=disk.enter)
        s.config.write_text(s.config.read_text().replace('folder = "state"', 'folder = "state"\ncontrol_socket = "control.sock"'))
        s.socket = tmp_path / "control.sock"
        s.start_broker()
        s.start_sim()
        s.mqtt = s.listener()
        s.start_daemon()
        return s, disk

    yield make
    for disk in disks:
        disk.close()


def typed(s, code):
    return s.mqtt.command("verify", {"code": code})


def test_full_disk_retrievals_go_on_by_the_ballast(on_disk):
    s, disk = on_disk(40)
    doors = {name: s.put_in(name) for name in ("a", "b", "c")}
    assert "ballast" in disk.run("ls", disk.state).stdout
    disk.fill()
    before = s.mqtt.head()
    assert typed(s, s.code("a"))["ok"]  # whoever stands there gets the papers
    assert s.take_out("a", doors["a"]) == "papers"
    wait_for(lambda: s.mqtt.state("alarm/storage"))
    assert "ballast" not in disk.run("ls", disk.state).stdout
    s.mqtt.event("storage.low", after=before)
    assert s.open("deposit", deposit="late", kind="return")["error"]["code"] == "storage_failed"
    # Started again on the full disk it goes on where it was.
    s.daemon.end(signal.SIGKILL)
    s.start_daemon()
    assert typed(s, s.code("b"))["ok"]
    assert s.take_out("b", doors["b"]) == "papers"
    # The rest goes, too: then doors stay shut, until there is space.
    disk.run("sh", "-c", f"cat /dev/zero > {disk.state}/more", check=False)
    pulses = s.pulses()
    while (reply := typed(s, s.code("c")))["ok"]:  # what lies in the write-ahead log already still has room
        s.take_out("c", doors["c"])
        doors["c"] = s.put_in("c")
    assert reply["error"]["code"] == "storage_failed"
    assert s.pulses() == pulses
    disk.run("rm", disk.state / "more")
    disk.empty()
    wait_for(lambda: typed(s, s.code("c"))["ok"])
    assert s.take_out("c", doors["c"]) == "papers"
    wait_for(lambda: not s.mqtt.state("alarm/storage"), seconds=60)
    assert "ballast" in disk.run("ls", disk.state).stdout
    verified = json.loads(disk.run(BIN / "lockerctl", "--socket", s.socket, "--json", "log", "verify").stdout)
    assert verified["ok"]
    assert s.daemon.end() == 0
    s.daemon = None


def test_an_alarm_of_before_ends_with_the_start(on_disk):
    s, disk = on_disk(40)
    n = s.put_in("a")
    disk.run("sh", "-c", f"cat /dev/zero > {disk.state}/junk", check=False)
    while typed(s, s.code("a"))["ok"]:
        s.take_out("a", n)
        disk.run("sh", "-c", f"cat /dev/zero > {disk.state}/more", check=False)
        n = s.put_in("a") if s.mqtt.state("alarm/storage") is None else n
    wait_for(lambda: "be recorded" in (s.mqtt.state("alarm/storage") or {}).get("meaning", ""))
    assert s.daemon.end() == 0
    disk.run("rm", "-f", disk.state / "junk", disk.state / "more")
    s.start_daemon()
    wait_for(lambda: not s.mqtt.state("alarm/storage"))
    assert s.daemon.end() == 0
    s.daemon = None


def test_disk_that_turns_read_only(on_disk):
    s, disk = on_disk(40)
    n = s.put_in("a")
    assert s.daemon.end() == 0
    world = {**preload("wrong_world.c", s.folder), "WRONG_WORLD": str(s.folder)}
    s.start_daemon(environment=world)
    (s.folder / "readonly").touch()
    pulses = s.pulses()
    assert typed(s, s.code("a"))["error"]["code"] == "storage_failed"
    wait_for(lambda: s.mqtt.state("alarm/storage"))
    assert s.pulses() == pulses
    s.daemon.end(signal.SIGKILL)
    disk.run("mount", "-o", "remount,ro", disk.state)
    done = subprocess.run([*disk.enter, BIN / "lockerd", "--config", s.config], capture_output=True, text=True, timeout=30)
    said = [line for line in done.stderr.splitlines() if line.startswith("lockerd: ")]
    assert done.returncode in (70, 75) and len(said) == 1 and "read" in said[0], done.stderr
    assert s.pulses() == pulses
    disk.run("mount", "-o", "remount,rw", disk.state)
    (s.folder / "readonly").unlink()
    s.start_daemon()
    assert typed(s, s.code("a"))["ok"]
    assert s.take_out("a", n) == "papers"
    assert s.daemon.end() == 0
    s.daemon = None


def test_clock_at_1970(stand):
    """A board without a battery after a power cut, and no network: codes work, time is the floor's, nothing overflows."""
    s = stand(start=False, clock_battery=False)
    world = {**preload("wrong_world.c", s.folder), "WRONG_WORLD": str(s.folder)}
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon(environment=world)
    n = s.put_in("a")
    grant = s.grant("open", compartment=3)
    s.daemon.end(signal.SIGKILL)
    (s.folder / "clock").write_text(str(-int(time.time()) + 60))
    (s.folder / "unsynchronised").touch()
    s.start_daemon(environment=world)
    started = s.mqtt.event("daemon.started", after=s.mqtt.head() - 3)
    assert started["time"] >= "2026"
    wait_for(lambda: s.mqtt.state("alarm/clock_untrusted"))
    pulses = s.pulses()
    assert not s.mqtt.command("open", grant=grant)["ok"]  # of an earlier start
    assert s.pulses() == pulses
    assert s.enter(s.code("a"))["ok"]
    assert s.take_out("a", n) == "papers"


@pytest.mark.skipif(PRESET == "tsan", reason="the sanitizer's own allocator is what gets no memory, and it ends the process with words of its own")
def test_out_of_memory(stand):
    """The limit is drawn round the running process: what it asks for next it does not get."""
    s = stand()
    n = s.put_in("a")
    limits = resource.prlimit(s.daemon.popen.pid, resource.RLIMIT_DATA)
    now = int(next(line for line in pathlib.Path(f"/proc/{s.daemon.popen.pid}/status").read_text().splitlines() if line.startswith("VmData")).split()[1])
    resource.prlimit(s.daemon.popen.pid, resource.RLIMIT_DATA, ((now + 64) * 1024, limits[1]))
    pulses = sum(s.pulses())
    answered = {}
    for i in range(40):  # large, well-formed, without authority
        if not s.daemon.running():
            break
        s.mqtt.send("verify", {"code": "000 000 000", "padding": "x" * 60_000}, id=f"big-{i}")
    end = time.monotonic() + 10
    while s.daemon.running() and time.monotonic() < end and len(answered) < 40:
        answered = {k: v for k, v in s.mqtt.replies.items() if k.startswith("big-")}
        time.sleep(0.05)
    assert sum(s.pulses()) == pulses and not any(r["ok"] for r in answered.values())
    if s.daemon.running():
        resource.prlimit(s.daemon.popen.pid, resource.RLIMIT_DATA, limits)
    else:
        s.start_daemon()
    assert s.enter(s.code("a"))["ok"]
    assert s.take_out("a", n) == "papers"


def rows_of(file):
    """The ledger as another's SQLite reads it; None: it cannot be read."""
    try:
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            db.text_factory = bytes  # a flipped bit may call text a blob: the bytes are what is hashed
            return db.execute("SELECT * FROM ledger ORDER BY sequence").fetchall()
        finally:
            db.close()
    except sqlite3.DatabaseError:
        return None


def corrupt(data, chance):
    """One of the ways in which a card goes bad."""
    at = chance.randrange(len(data))
    kind = chance.randrange(4)
    if kind == 0:  # bits
        for _ in range(chance.randrange(1, 9)):
            at = chance.randrange(len(data))
            data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:  # a page of zeros, or of another file
        page = at // 1024 * 1024
        data[page:page + 1024] = bytes(1024) if chance.randrange(2) else chance.randbytes(1024)
    elif kind == 2:  # cut off
        del data[at:]
    else:  # a page in another's place
        page, other = at // 1024 * 1024, chance.randrange(len(data)) // 1024 * 1024
        data[page:page + 1024] = data[other:other + 1024]
    return data


@pytest.mark.parametrize("block", range(2))
def test_database_of_random_corruptions(stand, block):
    """50 in each block. One cabinet has written it; each damaged copy is started once, at the same line."""
    s = stand()
    for i in range(4):
        n = s.put_in(f"d-{i}")
        if i % 2:
            assert s.enter(s.code(f"d-{i}"))["ok"]
            s.take_out(f"d-{i}", n)
    assert s.daemon.end() == 0
    s.daemon = None
    state = s.folder / "state"
    whole = (state / "locker.db").read_bytes()
    truth = rows_of(state / "locker.db")
    pulses = s.pulses()
    s.mqtt.close()  # what was heard so far is held against its schema
    came_up = refused = broken = 0
    for seed in range(50):
        chance = random.Random(block * 50 + seed)
        shutil.rmtree(state)
        state.mkdir(mode=0o750)
        (state / "locker.db").write_bytes(corrupt(bytearray(whole), chance))
        found = rows_of(state / "locker.db")
        verified = s.ctl("log", "--database", state / "locker.db", "verify", check=False)
        if found is None:
            assert verified.returncode in (1, 2), (seed, verified)
        elif found != truth:
            assert verified.returncode in (1, 2), (seed, verified)
            broken += 1
        else:
            assert "altered" not in verified.stdout, (seed, verified)
        log = s.folder / f"d-{seed}.log"
        daemon = Process([BIN / "lockerd", "--config", s.config], log)

        def settled():
            return not daemon.running() or "event=started" in log.read_text(errors="replace")
        wait_for(settled, what="a start or an end")
        if daemon.running():
            came_up += 1
            assert s.ctl("enter", s.code("never"), check=False).returncode != 0, seed
            daemon.end()
        else:
            refused += 1
            said = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("lockerd: ")]
            assert daemon.popen.returncode in (65, 70, 78) and len(said) == 1, (seed, daemon.popen.returncode, log.read_text(errors="replace"))
            daemon.end()
        assert s.pulses() == pulses, seed
    assert came_up and refused and broken, (came_up, refused, broken)
