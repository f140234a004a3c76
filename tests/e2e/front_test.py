"""At the cabinet's front, with no network: a keypad, a scanner, what they are told by a buzzer; mains and tamper switch.

The keypad is a recorded stream of evdev events through libevdev and lockerd's reader, the scanner a pseudo-terminal."""
import hashlib
import hmac
import json
import os
import pathlib
import pty
import struct
import subprocess
import time
import tty

import pytest

from cabinet_kit import read_qr_image, wait_for
from preload import preload

KEYS = {**{str(d): 79 + i for i, d in enumerate([1, 2, 3])}, "4": 75, "5": 76, "6": 77, "7": 71, "8": 72, "9": 73, "0": 82,
        "*": 55, "#": 96}  # linux/input-event-codes.h: the numeric block, Enter for #
EV_SYN, EV_KEY, SYN_DROPPED = 0, 1, 3
ACKNOWLEDGED = bytes.fromhex("02000001003331")


class Cable:
    """A device that can be unplugged: a pseudo-terminal behind a link."""

    def __init__(self, link):
        self.link = pathlib.Path(link)
        self.master = self.slave = -1

    def plug(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self.slave))

    def unplug(self):
        self.link.unlink(missing_ok=True)
        os.close(self.slave)
        os.close(self.master)

    def send(self, data):
        os.write(self.master, data)

    def read(self, count):
        return os.read(self.master, count)


class Keypad(Cable):
    """A pipe: what is written at once is read at once, whole events as the kernel gives them."""

    def plug(self):
        self.link.unlink(missing_ok=True)
        os.mkfifo(self.link)
        self.master = os.open(self.link, os.O_RDWR)

    def unplug(self):
        self.link.unlink()
        os.close(self.master)

    def send(self, data):
        for at in range(0, len(data), 960):
            os.write(self.master, data[at:at + 960])

    def press(self, text):
        self.send(b"".join(self.event(EV_KEY, KEYS[c], value) + self.event(EV_SYN, 0, 0) for c in text for value in (1, 0)))

    @staticmethod
    def event(kind, code, value):
        return struct.pack("llHHi", 0, 0, kind, code, value)


FRONT = '''
[[input]]
name = "keypad"
kind = "keypad"
device = "keypad.dev"

[[input]]
name = "scanner"
kind = "scanner"
serial = "scanner.dev"
model = "gm65"

[[output]]
name = "buzzer"
relay = { board = "A", channel = 8 }
yes = [300]
no = [200, 100, 200]
wait = [100]

[[sensor]]
kind = "mains"
input = { board = "A", channel = 7 }
trouble = "off"

[[sensor]]
kind = "tamper"
input = { board = "A", channel = 8 }
trouble = "on"
'''


class Front:
    def __init__(self, stand, folder, **options):
        self.s = stand(start=False, more=FRONT, **options)
        self.keypad, self.scanner = Keypad(self.s.folder / "keypad.dev"), Cable(self.s.folder / "scanner.dev")
        self.environment = preload("keyboard.c", folder)
        self.keypad.plug()
        self.scanner.plug()
        self.s.start_broker()
        self.s.start_sim()
        self.s.ask_sim(do="input", board=1, channel=7)
        self.s.mqtt = self.s.listener()
        self.s.start_daemon(environment=self.environment)
        self.logged("input_present input=keypad", "input_present input=scanner")

    def logged(self, *lines, times=1):
        wait_for(lambda: all(self.s.daemon.text().count(line) >= times for line in lines), what=f"{lines} in the log")

    def tones(self):
        """How often the buzzer went on: pulses of board 1 beyond its doors' own."""
        status = self.s.ask_sim(do="status")
        return next(b for b in status["boards"] if b["board"] == 1)["pulses"]

    def type(self, keys):
        self.keypad.press(keys)

    def show(self, text):
        self.scanner.send(text.encode() + b"\r")

    def rests(self):
        """The one before was answered, and half a second has passed since: people are no faster."""
        answered = time.monotonic()
        wait_for(lambda: time.monotonic() - answered > 0.5)

    def opens(self, act):
        """The door that opens upon it."""
        self.rests()
        before = {d["door"] for d in self.s.ask_sim(do="status")["doors"] if d["open"]}
        act()
        return wait_for(lambda: next((d["door"] for d in self.s.ask_sim(do="status")["doors"]
                                      if d["open"] and d["door"] not in before), None), what="a door that opens")

    def refuses(self, act):
        """Nothing opens; the buzzer says no, twice."""
        self.rests()
        before, doors = self.tones(), self.s.ask_sim(do="status")["doors"]
        act()
        wait_for(lambda: self.tones() == before + 2, what="the buzzer's no")
        assert [d["openings"] for d in doors] == [d["openings"] for d in self.s.ask_sim(do="status")["doors"]]

    def state(self):
        return json.loads(self.s.ctl("--json", "status"))

    def deposit(self, id):
        return next((d for d in self.state()["deposits"] if d["deposit"] == id), None)

    def staff_code(self, number):
        key = bytes.fromhex((self.s.keys / "cabinet.key").read_text().strip())
        mine = hmac.new(key, b"locker/staff/v1\0" + number.encode(), hashlib.sha256).hexdigest()
        totp = subprocess.run(["oathtool", "--totp=sha1", "-d", "6", mine], capture_output=True, text=True, check=True)
        return f"{number}#{totp.stdout.strip()}#"


@pytest.fixture
def front(stand, tmp_path):
    return lambda **options: Front(stand, tmp_path, **options)


def through_qr(text, folder):
    """What a phone shows and a scanner reads: another encoder, another decoder."""
    picture = pathlib.Path(folder) / "code.png"
    subprocess.run(["qrencode", "-o", picture, "-s", "4", text], check=True)
    return read_qr_image(picture)


def test_keypad_and_scanner_open_and_refuse(front):
    f = front()
    assert f.scanner.read(9) == bytes.fromhex("7e000801000302abcd")  # printed codes cannot set it
    f.scanner.send(ACKNOWLEDGED)
    n = f.s.put_in("d-1")
    code = f.s.code("d-1").replace(" ", "")
    f.refuses(lambda: f.type(code[:8] + str((int(code[8]) + 1) % 10) + "#"))  # a typo
    f.refuses(lambda: f.type("12345#" + "7" * 200 + "#"))                     # somebody leans on the keys
    f.refuses(lambda: f.show("x" * 5000))
    f.refuses(lambda: f.show("not a code"))
    assert f.opens(lambda: f.type("123*" + code + "#")) == n                  # cleared, and typed again
    f.s.take_out("d-1", n)
    m = f.s.put_in("d-2")
    assert f.opens(lambda: f.show(f.s.code("d-2"))) == m                      # the same code as a QR code
    f.s.take_out("d-2", m)
    metrics = f.s.mqtt.wait(lambda: (f.s.mqtt.state("metrics") or {}).get("inputs", {}).get("scanner", {}).get("lines", 0) >= 2
                            and f.s.mqtt.state("metrics"), what="metrics")
    assert metrics["inputs"]["keypad"]["present"] and metrics["inputs"]["keypad"]["dropped"] == 1
    assert code not in f.s.daemon.text()


def test_devices_come_and_go(front):
    f = front()
    n = f.s.put_in("d-1")
    code = f.s.code("d-1").replace(" ", "")
    for i in range(3):
        f.type(code[:4])
        f.keypad.unplug()
        f.scanner.unplug()
        f.logged("input_lost input=keypad", "input_lost input=scanner", times=i + 1)
        f.keypad.plug()
        f.scanner.plug()
        f.logged("input_present input=keypad", "input_present input=scanner", times=i + 2)
    assert f.opens(lambda: f.type(code + "#")) == n  # nothing is left of what was typed before
    f.s.take_out("d-1", n)
    # the kernel's queue was full: keys are missing, and what is left of the line is not taken for one
    f.refuses(lambda: (f.type("11"), f.keypad.send(f.keypad.event(EV_SYN, SYN_DROPPED, 0) + f.keypad.event(EV_SYN, 0, 0))))
    f.refuses(lambda: f.type("1234567#"))
    f.rests()
    f.keypad.send(b"".join(f.keypad.event(EV_KEY, KEYS[c], 1) for c in "987" * 1000))  # a keyboard that is none
    f.type("*")
    m = f.s.put_in("d-2")
    assert f.opens(lambda: f.type(f.s.code("d-2").replace(" ", "") + "#")) == m


def test_a_round_without_network(front, tmp_path):
    f = front(policy="unconfirmed_s = 1")
    staff = {"number": "4711", "sub": "g-4711", "permits": ["collect_intake", "deposit_return", "settle"]}
    assert f.s.roster(1, [staff])["ok"]
    f.s.broker.end()
    wait_for(lambda: "broker_down" in f.s.daemon.text(), what="the broker's end")

    def shut(n):
        f.s.shut_after_a_while(n)

    # A resident puts papers in with the QR code on the phone.
    grant = f.s.grant("deposit", epoch=False, deposit="in-1", kind="intake")
    n = f.opens(lambda: f.show(through_qr(grant, tmp_path)))
    f.s.ask_sim(do="put", door=n, content="papers of in-1")
    shut(n)
    wait_for(lambda: f.deposit("in-1")["state"] == "deposited" and f.deposit("in-1")["unconfirmed"], what="unconfirmed papers")
    # A grid worker signs in, is led to what waits, takes it, and is done.
    f.type(f.staff_code("4711"))
    f.logged("event=staff.signed_in")
    assert f.opens(lambda: f.type("0##")) == n
    assert f.s.ask_sim(do="take", door=n)["content"] == "papers of in-1"
    shut(n)
    wait_for(lambda: f.deposit("in-1") is None, what="the retrieval")
    # The answer goes back: the worker's phone shows the grant.
    back = f.s.grant("deposit", epoch=False, deposit="out-1", kind="return")
    m = f.opens(lambda: f.show(through_qr(back, tmp_path)))
    f.s.ask_sim(do="put", door=m, content="papers of out-1")
    shut(m)
    wait_for(lambda: (f.deposit("out-1") or {}).get("state") == "deposited", what="the return")
    f.rests()
    f.type("0#0#")
    f.logged("event=staff.signed_out")
    f.refuses(lambda: f.type("0##"))
    # In the evening the resident types the code.
    assert f.opens(lambda: f.type(f.s.code("out-1").replace(" ", "") + "#")) == m
    assert f.s.ask_sim(do="take", door=m)["content"] == "papers of out-1"
    shut(m)
    wait_for(lambda: f.deposit("out-1") is None, what="the pickup")
    # … and all of it is told when the broker is back.
    f.s.start_broker()
    for id in ("in-1", "out-1"):
        f.s.mqtt.event("deposit.retrieved", deposit=id)


def test_mains_and_tamper_switch(front):
    f = front()
    f.s.ask_sim(do="input", board=1, channel=7, on=False)
    assert f.s.mqtt.event("input.changed", input="mains")["data"]["state"] == "lost"
    f.s.mqtt.wait(lambda: f.s.mqtt.state("alarm/mains"), what="the alarm")
    f.s.ask_sim(do="input", board=1, channel=8)
    assert f.s.mqtt.event("input.changed", input="tamper")["data"]["state"] == "open"
    f.s.ask_sim(do="input", board=1, channel=7)
    f.s.ask_sim(do="input", board=1, channel=8, on=False)
    wait_for(lambda: f.s.mqtt.state("alarm/mains") is None and f.s.mqtt.state("alarm/tamper") is None, what="the alarms' end")
