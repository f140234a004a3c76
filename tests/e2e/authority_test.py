"""Who may open: every error of the contract beside the same thing done right; a day of staff work; what a thief of a
whole disk gets; what can be read of secrets anywhere."""
import base64
import hashlib
import hmac
import itertools
import json
import os
import pathlib

import resource
import shutil
import signal
import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cabinet_kit import rfc3339, wait_for
from datetime import datetime, timedelta, timezone
from preload import preload

COLLECTOR = ["collect_intake", "deposit_return", "settle", "move"]


def code_of(reply):
    return reply.get("error", {}).get("code", "ok")


def door_of(reply):
    assert reply["ok"], reply
    return reply["result"]["compartment"]


def member(number, *permits, **more):
    return {"number": number, "sub": f"g-{number}", "permits": list(permits), **more}


class WrongWorld:
    """What lockerd sees of clock and disk, bent from outside."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.environment = {**preload("wrong_world.c", self.folder), "WRONG_WORLD": str(self.folder)}

    def set(self, name, text=""):
        (self.folder / name).write_text(text)

    def clear(self, name):
        (self.folder / name).unlink(missing_ok=True)


def sanitized():
    return os.environ.get("LOCKER_PRESET", "release") not in ("release", "debug")


# ---- every error, and the same done right

def test_each_error_of_a_grant_and_the_same_done_right(stand):
    s = stand()
    now = int(time.time())
    jwk = json.loads((s.keys / "issuer.jwk").read_text())
    key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(jwk["d"] + "="))
    doors = iter(range(1, 13))
    count = iter(range(1000))

    def token(door, signer=key, kid=jwk["kid"], typ="locker-grant+jwt", **changes):
        claims = {"aud": s.cabinet, "jti": f"t-{next(count)}", "iat": now, "exp": now + 60, "epoch": s.mqtt.epoch(),
                  "act": "open", "cmp": door, **changes}
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, signer, algorithm="EdDSA",
                          headers={"kid": kid, "typ": typ})

    def each(expected, wrong, right=None):
        door = next(doors)
        assert code_of(s.mqtt.command("open", grant=wrong(door))) == expected
        assert not s.door(door)["open"]
        good = (right or token)(door)
        assert door_of(s.mqtt.command("open", grant=good)) == door
        assert s.door(door)["open"]
        s.shut_after_a_while(door)
        return good

    each("malformed", lambda door: token(door, act="dance"))
    each("malformed", lambda door: token(door, exp=now + 61))
    each("malformed", lambda door: token(door, typ="JWT"))
    each("unknown_key", lambda door: token(door, kid="stranger"))
    each("bad_signature", lambda door: token(door, signer=Ed25519PrivateKey.generate()))
    each("wrong_audience", lambda door: token(door, aud="other"))
    each("stale_epoch", lambda door: token(door, epoch="0" * 16))
    now = int(time.time())
    each("not_yet_valid", lambda door: token(door, iat=now + 40, exp=now + 60))
    each("expired", lambda door: token(door, iat=now - 60, exp=now - 1))
    used = each("unknown_compartment", lambda door: token(999))
    assert code_of(s.mqtt.command("open", grant=used)) == "replayed"

    # the command itself
    grant = token(11)
    late = rfc3339(datetime.now(timezone.utc) - timedelta(seconds=1))
    assert code_of(s.mqtt.command("open", grant=grant, expires_at=late)) == "expired"
    assert door_of(s.mqtt.command("open", grant=grant)) == 11
    assert code_of(s.mqtt.command("open", grant=token(11))) == "busy"
    s.shut_after_a_while(11)
    wait_for(lambda: s.mqtt.state("compartment/11")["door"] == "closed", what="the closing")
    assert door_of(s.mqtt.command("open", grant=token(11))) == 11


def test_each_error_of_state_and_the_same_done_right(stand):
    s = stand(doors=4)
    # permission: a key signs what it may
    ring = json.loads((s.keys / "issuers.json").read_text())
    assert code_of(s.mqtt.command("keys", grant=s.document("keys", 2, ring, key=s.keys / "issuer.jwk"))) == "not_permitted"
    assert s.mqtt.command("keys", grant=s.document("keys", 2, ring))["ok"]
    assert code_of(s.mqtt.command("keys", grant=s.document("keys", 2, ring))) == "wrong_state"
    assert s.mqtt.command("keys", grant=s.document("keys", 3, ring))["result"] == {"version": 3, "keys": 1}
    # suspension
    assert s.roster(1, [member("4711", "settle", suspended=True)])["ok"]
    assert code_of(s.open("open", compartment=1, sub="g-4711")) == "suspended"
    assert s.roster(2, [member("4711", "settle")])["ok"]
    assert s.open("open", compartment=1, sub="g-4711")["ok"]
    s.shut_after_a_while(1)
    # places
    assert s.mqtt.command("disable", {"compartment": 2, "reason": "paint"})["ok"]
    assert code_of(s.open("deposit", deposit="d-1", kind="return", compartment=2)) == "disabled"
    assert s.mqtt.command("enable", {"compartment": 2, "reason": "dry"})["ok"]
    assert s.put_in("d-1", compartment=2) == 2
    s.put_in("d-2")
    s.put_in("d-3")
    assert code_of(s.open("deposit", deposit="i-1", kind="intake")) == "no_vacancy"
    s.put_in("d-4")
    assert code_of(s.open("collect", deposit="nobody")) == "unknown_deposit"
    assert code_of(s.mqtt.command("cancel", {"deposit": "d-1"})) == "wrong_state"
    assert s.open("collect", deposit="d-1")["ok"]
    s.take_out("d-1", 2)
    # locks and line
    n = next(n for n in (1, 3, 4) if s.mqtt.state(f"compartment/{n}")["deposit"] == "d-2")
    s.fault("jam", door=n)
    assert code_of(s.open("collect", deposit="d-2")) == "jammed"
    s.fault("jam", on=False, door=n)
    s.fault("unplug")
    s.mqtt.event("board.lost")
    assert code_of(s.open("collect", deposit="d-2")) == "board_lost"
    s.fault("unplug", on=False)
    s.mqtt.event("board.recovered")
    wait_for(lambda: s.mqtt.state(f"compartment/{n}")["door"] == "closed", what="the door known again")
    assert s.open("collect", deposit="d-2")["ok"]
    s.take_out("d-2", n)
    m = next(n for n in (1, 3, 4) if s.mqtt.state(f"compartment/{n}")["deposit"] == "d-3")
    s.fault("cut", door=m)
    s.mqtt.event("door.forced", compartment=m)
    assert code_of(s.open("collect", deposit="d-3")) == "unknown_outcome"
    s.fault("cut", on=False, door=m)
    s.shut(m)
    wait_for(lambda: s.mqtt.state(f"compartment/{m}")["door"] == "closed", what="the door seen again")
    assert door_of(s.open("collect", deposit="d-3")) == m
    s.take_out("d-3", m)


def colliding(key, prefix="k"):
    """Two deposits one of whose first codes is the same: found, with eight digits, after some ten thousand."""
    seen = {}
    for i in itertools.count():
        deposit = f"{prefix}-{i}"
        dk = hmac.new(key, b"locker/pickup/v1\x00" + deposit.encode(), hashlib.sha256).digest()
        mac = hmac.new(dk, bytes(8), hashlib.sha1).digest()
        at = mac[19] & 15
        eight = (int.from_bytes(mac[at:at + 4], "big") & 0x7FFFFFFF) % 100_000_000
        if eight in seen:
            return seen[eight], deposit
        seen[eight] = deposit


def test_each_error_of_a_code_and_the_same_done_right(stand):
    s = stand()
    one, two = colliding(bytes.fromhex((s.keys / "cabinet.key").read_text().strip()))
    first, second = s.put_in(one), s.put_in(two)
    third = s.put_in("v-1")
    verify = lambda code, **args: s.mqtt.command("verify", {"code": code, **args})
    good = s.code("v-1")
    assert code_of(verify("12345")) == "malformed"
    typo = good[:-1] + str((int(good[-1]) + 1) % 10)
    assert code_of(verify(typo)) == "typo"
    assert code_of(verify(s.code(one))) == "ambiguous"
    assert door_of(verify(s.code(one), compartment=second)) == second
    s.take_out(two, second)
    for i in range(10):
        assert code_of(verify(s.code("nobody", i))) == "wrong_code"
    assert code_of(verify(good)) == "locked_out"
    assert s.mqtt.wait(lambda: s.mqtt.state("alarm/lockout/verify"), what="the alarm")
    assert door_of(verify(good, compartment=third)) == third
    s.take_out("v-1", third)
    assert s.mqtt.event("credential.refused", reason="locked_out")["data"]["via"] == "mqtt"
    assert door_of(s.enter(f"{first}#{s.code(one)}")) == first  # the keypad has buckets of its own


def test_clock_storage_and_retained(stand, tmp_path):
    world = WrongWorld(tmp_path)
    s = stand(clock_battery=False, start=False)
    s.clock = "grants_need_clock = true"
    s.write_config()
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    world.set("unsynchronised")
    s.start_daemon(environment=world.environment)
    assert code_of(s.open("open", compartment=1)) == "clock_untrusted"
    assert s.mqtt.state("alarm/clock_untrusted")
    assert s.daemon.end() == 0
    world.clear("unsynchronised")
    s.start_daemon(environment=world.environment)
    assert s.open("open", compartment=1)["ok"]
    s.shut_after_a_while(1)
    world.set("disk")
    assert code_of(s.open("open", compartment=2)) == "storage_failed"
    assert not s.door(2)["open"]
    s.mqtt.wait(lambda: s.mqtt.state("alarm/storage"), what="the alarm")
    world.clear("disk")
    wait_for(lambda: s.mqtt.state("alarm/storage") is None, what="the alarm's end")
    assert s.open("open", compartment=2)["ok"]
    # a command that the broker kept from before is told as retained when the cabinet comes
    grant = s.grant("open", compartment=3)
    assert s.daemon.end() == 0
    message = {"id": "kept-1", "expires_at": rfc3339(datetime.now(timezone.utc) + timedelta(seconds=60)),
               "reply_to": f"{s.mqtt.root}/reply/{s.mqtt.reply_name}", "grant": grant, "args": {}}
    s.mqtt.raw("open", json.dumps(message), retain=True)
    s.start_daemon(environment=world.environment)
    assert code_of(s.mqtt.wait(lambda: s.mqtt.replies.get("kept-1"), what="the reply")) == "retained"
    s.mqtt.raw("open", b"", retain=True)
    assert s.open("open", compartment=3)["ok"]


# ---- a day of staff work

def step_passes(s):
    """Until the phone shows another code: each is good once."""
    begin = int(time.time()) // 30
    wait_for(lambda: int(time.time()) // 30 > begin, 35, "the next code")


def work(s, terminal, line):
    """Opens a door by a line of a session, takes what lies there, shuts the door."""
    reply = terminal.enter(line)
    n = door_of(reply)
    content = s.ask_sim(do="take", door=n)["content"]
    s.shut_after_a_while(n)
    s.mqtt.event("opening.closed", compartment=n, opening=reply["result"]["opening"])
    return n, content


def test_a_day_of_staff_work(stand, tmp_path):
    world = WrongWorld(tmp_path)
    s = stand(doors=24, boards=3, clock_battery=False, start=False, policy="unconfirmed_s = 3\noverdue_return_s = 20")
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon(environment=world.environment)

    # The office says who works here.
    zhang, li, wang = (member("4711", *COLLECTOR), member("4712", *COLLECTOR, "reclaim_overdue"), member("4713", "maintain"))
    assert s.roster(1, [zhang, li, wang])["result"] == {"version": 1, "staff": 3}

    # In the morning nine residents have put their papers in; one never tapped "deposited".
    intakes = {}
    for i in range(9):
        intakes[s.put_in(f"in-{i}", "intake", case=f"case-{i}", content=f"papers of {i}")] = i
        if i != 8:
            assert s.mqtt.command("confirm", {"deposit": f"in-{i}"})["ok"]
    unconfirmed = next(n for n, i in intakes.items() if i == 8)

    # Zhang signs in at the keypad: a code that oathtool made, as any phone would.
    cabinet_key = bytes.fromhex((s.keys / "cabinet.key").read_text().strip())
    staff_key = hmac.new(cabinet_key, b"locker/staff/v1\x00" + b"4711", hashlib.sha256).hexdigest()
    totp = subprocess.run(["oathtool", "--totp=sha1", "-d", "6", staff_key], capture_output=True, text=True, check=True).stdout.strip()
    keypad = s.terminal()
    assert code_of(keypad.enter("next")) == "not_permitted"
    wait_for(lambda: len([1 for d in intakes if (s.mqtt.state(f"compartment/{d}") or {})["use"] == "occupied"]) == 9)
    opened_at = time.monotonic()
    wait_for(lambda: time.monotonic() - opened_at > 3, 5)  # the policy calls it unconfirmed now
    session = keypad.enter(f"4711#{totp}")
    assert session["ok"], session
    assert code_of(s.terminal().enter(f"4711#{totp}")) == "replayed"  # now: after a day's work its time is over, too
    worklist = session["result"]["worklist"]
    assert sorted(d["compartment"] for d in worklist["collect"]) == sorted(set(intakes) - {unconfirmed})
    assert [d["compartment"] for d in worklist["unconfirmed"]] == [unconfirmed]
    assert "8 deposits wait: " in worklist["message"] and f"1 unconfirmed: {unconfirmed}" in worklist["message"]
    for _ in range(9):
        n, content = work(s, keypad, "next")
        assert content == f"papers of {intakes.pop(n)}"
    assert not intakes and code_of(keypad.enter("next")) == "wrong_state"
    assert keypad.enter("list")["result"]["worklist"]["message"].endswith("Nothing waits.")
    assert code_of(s.terminal().enter("list")) == "not_permitted"  # another keypad is nobody's
    assert keypad.enter("out")["ok"]

    # Wang looks after locks: an empty door opens, one with papers in it does not.
    assert keypad.enter(s.staff_code("4713"))["ok"]
    kept = s.put_in("back-old")
    assert code_of(keypad.enter(str(kept))) == "not_permitted"
    assert work(s, keypad, "24") == (24, "")
    assert keypad.enter("out")["ok"]

    # Li is suspended by the office, and comes back.
    assert s.roster(2, [zhang, {**li, "suspended": True}, wang])["ok"]
    assert code_of(keypad.enter(s.staff_code("4712"))) == "suspended"
    assert code_of(s.open("open", compartment=20, sub="g-4712")) == "suspended"
    assert s.roster(3, [zhang, li, wang])["ok"]

    # At noon the portal's key is replaced: the new one signs, the old one does not.
    s.ctl("mint", "keys", s.folder / "fresh", "--kid", "portal-2")
    ring = json.loads((s.folder / "fresh" / "issuers.json").read_text())
    assert s.mqtt.command("keys", grant=s.document("keys", 2, ring))["ok"]
    assert s.mqtt.event("credential.revoked", reason="keys")["data"]["removed"] == ["portal-1"]
    assert code_of(s.open("open", compartment=20)) == "unknown_key"
    shutil.copy(s.folder / "fresh" / "issuer.jwk", s.keys / "issuer.jwk")
    assert s.open("open", compartment=20)["ok"]
    s.shut_after_a_while(20)

    # The cabinet's key is rotated: two generations, no code fails, whichever made it.
    waiting = kept
    old_code, old_staff = s.code("back-old"), s.staff_code("4712")
    os.rename(s.keys / "cabinet.key", s.keys / "cabinet.old")
    s.ctl("mint", "cabinet-key", s.keys / "cabinet.key")
    s.more_keys = 'cabinet_previous = "keys/cabinet.old"\n'
    s.write_config()
    assert s.daemon.end() == 0
    keypad.close()
    s.start_daemon(environment=world.environment)
    keypad = s.terminal()
    assert keypad.enter(old_staff)["ok"]
    assert door_of(s.enter(old_code)) == waiting
    s.take_out("back-old", waiting)
    # Li puts papers back for ten cases, one by one.
    backs = {}
    for i in range(10):
        n = door_of(keypad.enter(f"return back-{i} case=case-{i}"))
        s.ask_sim(do="put", door=n, content=f"certificate {i}")
        s.shut_after_a_while(n)
        s.mqtt.event("deposit.deposited", deposit=f"back-{i}")
        assert keypad.enter(f"confirm back-{i}")["ok"]
        backs[i] = n
    assert s.mqtt.event("deposit.confirmed", deposit="back-3")["data"]["by"] == "staff:4712"

    # Two were put behind the wrong doors: the deposit is moved to where its papers lie.
    free = next(n for n in range(1, 25) if s.mqtt.state(f"compartment/{n}")["use"] == "vacant")
    moved = keypad.enter(f"move back-9 {free}")
    assert moved["ok"] and moved["result"]["from"] == backs[9]
    assert f"1 suspected: {backs[9]}" in keypad.enter("list")["result"]["worklist"]["message"]
    n, content = work(s, keypad, f"settle {backs[9]}")
    assert content == "certificate 9"
    assert s.mqtt.event("compartment.settled", compartment=n)["data"]["by"] == "staff:4712"

    # The network goes, and the clock with it: residents' codes work, staff codes do not, a grant as QR code does.
    s.broker.end()
    assert s.daemon.end() == 0
    world.set("unsynchronised")
    world.set("clock", str(-400 * 86400))
    s.start_daemon(wait_online=False, environment=world.environment)
    wait_for(lambda: s.socket.exists(), what="the control socket")
    keypad.close()
    keypad = s.terminal()
    ready = lambda: json.loads(s.ctl("--json", "status"))["compartments"][backs[0] - 1]["door"] == "closed"
    wait_for(ready, what="doors known")
    assert door_of(keypad.enter(s.code("back-0"))) == backs[0]
    assert s.ask_sim(do="take", door=backs[0])["content"] == "certificate 0"
    s.shut_after_a_while(backs[0])
    assert code_of(keypad.enter(s.staff_code("4711"))) == "clock_untrusted"
    scanned = keypad.enter(s.grant("staff", epoch=False, sub="g-4711", life=3600), via="scanner")
    assert scanned["ok"] and scanned["result"]["staff"] == "4711"
    assert code_of(keypad.enter("reclaim 1")) == "not_permitted"

    # In the evening all is back; what was not fetched in time goes into custody, and its code says so.
    world.clear("unsynchronised")
    world.clear("clock")
    assert s.daemon.end() == 0
    s.start_broker()
    s.start_daemon(environment=world.environment)
    late = s.mqtt.event("deposit.overdue", deposit="back-1", seconds=40)["data"]["compartment"]
    step_passes(s)
    keypad.close()
    keypad = s.terminal()
    session = keypad.enter(s.staff_code("4712"))
    assert session["ok"] and late in [d["compartment"] for d in session["result"]["worklist"]["overdue"]], session
    n, content = work(s, keypad, f"reclaim {late}")
    assert content == "certificate 1"
    s.mqtt.event("deposit.reclaimed", deposit="back-1", by="staff:4712")
    told = s.enter(s.code("back-1"))
    assert code_of(told) == "wrong_state" and "with the staff now" in told["error"]["message"]
    keypad.close()
    s.mqtt.event("staff.signed_out", staff="4712", reason="gone")
    # Every other paper is still its owner's.
    for i in range(2, 9):
        assert door_of(s.enter(s.code(f"back-{i}"))) == backs[i]
        assert s.take_out(f"back-{i}", backs[i]) == f"certificate {i}"


# ---- what a thief gets

def test_a_copy_of_a_whole_disk_opens_nothing_elsewhere(stand):
    a = stand(cabinet="cab-a", doors=4)
    b = stand(cabinet="cab-b", doors=4)
    staff = [member("4711", *COLLECTOR, "open_any")]
    for s in (a, b):
        assert s.roster(1, staff)["ok"]
        assert s.put_in("same-id") == 1
    kept = a.grant("open", epoch=False, compartment=1, life=3600)
    over = a.grant("open", compartment=1)
    # All that lies on A's board: keys, database, configuration. And what A's codes and phones show.
    loot = b.folder / "loot"
    shutil.copytree(a.folder, loot, ignore=shutil.ignore_patterns("*.sock", "line.tty", "issuer.jwk", "root.jwk"))
    key = loot / "keys" / "cabinet.key"
    assert code_of(b.enter(b.ctl("mint", "code", "--key", key, "--deposit", "same-id"))) == "wrong_code"
    assert code_of(b.enter(b.staff_code("4711", key=key))) == "wrong_code"
    assert code_of(b.enter(kept, via="scanner")) == "unknown_key" or code_of(b.enter(kept, via="scanner")) == "bad_signature"
    assert code_of(b.mqtt.command("open", grant=over)) in ("unknown_key", "bad_signature")
    # No file of the loot holds a key that signs.
    for file in loot.rglob("*"):
        if file.is_file():
            text = file.read_bytes()
            for secret in ("issuer.jwk", "root.jwk"):
                assert json.loads((a.keys / secret).read_text())["d"].encode() not in text, file
    # A's database under B's name is refused; B's own goes on.
    assert b.daemon.end() == 0
    own = b.folder / "own-state"
    os.rename(b.folder / "state", own)
    shutil.copytree(loot / "state", b.folder / "state")
    done = subprocess.run([str(b.bin / "lockerd"), "--config", str(b.config)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "of cabinet cab-a" in done.stderr, done
    shutil.rmtree(b.folder / "state")
    os.rename(own, b.folder / "state")
    b.start_daemon()
    assert door_of(b.enter(b.code("same-id"))) == 1
    assert not a.door(1)["open"]


def test_every_bit_of_a_grant(stand):
    s = stand(doors=4)
    keypad = s.terminal()
    token = s.grant("open", epoch=False, compartment=1, life=3600)
    refused = 0
    for i in range(len(token)):
        for bit in range(7):  # JSON carries text: the eighth would not be ASCII any more; the unit test turns that, too
            bad = token[:i] + chr(ord(token[i]) ^ (1 << bit)) + token[i + 1:]
            reply = keypad.enter(bad, via="scanner")
            assert not reply["ok"], (i, bit, reply)
            refused += 1
    assert refused == 7 * len(token)
    assert not s.door(1)["open"]
    assert door_of(keypad.enter(token, via="scanner")) == 1


# ---- secrets

def test_no_secret_in_any_output(stand, tmp_path):
    s = stand(doors=4)
    assert s.roster(1, [member("4711", *COLLECTOR)])["ok"]
    n = s.put_in("secret-1")
    code = s.code("secret-1")
    digits = code.replace(" ", "")
    staff_code = s.staff_code("4711")
    keypad = s.terminal()
    assert keypad.enter(staff_code)["ok"]
    wrong = s.code("nobody")
    assert code_of(s.enter(wrong)) == "wrong_code"
    assert code_of(s.mqtt.command("verify", {"code": wrong})) == "wrong_code"
    token = s.grant("open", epoch=False, compartment=4, life=3600)
    assert s.enter(token, via="scanner")["ok"]
    assert s.enter(code)["ok"]
    s.take_out("secret-1", n)
    cabinet_key = (s.keys / "cabinet.key").read_text().strip()
    raw = bytes.fromhex(cabinet_key)
    derived = hmac.new(raw, b"locker/pickup/v1\x00secret-1", hashlib.sha256).digest()
    staff_key = hmac.new(raw, b"locker/staff/v1\x004711", hashlib.sha256).digest()
    secrets = {"cabinet key": raw, "cabinet key in hex": cabinet_key.encode(), "deposit key": derived,
               "deposit key in hex": derived.hex().encode(), "staff key": staff_key, "code": digits.encode(),
               "code as shown": code.encode(), "a wrong code": wrong.replace(" ", "").encode(), "staff code": staff_code.encode(),
               "TOTP": b'"' + staff_code.split("#")[1].encode(), "grant": token.split(".")[2].encode(),
               "base64 of the key": base64.b64encode(raw)}

    def search(where, data):
        for what, secret in secrets.items():
            assert secret not in data, f"{what} in {where}"

    s.mqtt.event("deposit.retrieved")
    for topic, payload, _ in s.mqtt.messages:
        if "/command/" not in topic:  # what others say to the cabinet is theirs
            search(topic, payload)
    search("status", s.ctl("--json", "status").encode())
    search("ledger", s.ctl("log", "export").encode())
    for file in (s.folder / "state").iterdir():
        if file.is_file():
            search(file.name, file.read_bytes())
    search("log", s.daemon.log.read_bytes())
    # A core dump: the kernel writes none of lockerd, though it may and does of others.
    assert s.daemon.end() == 0
    limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    folder = tmp_path / "cores"
    folder.mkdir()
    for program, dumps in (([str(s.bin / "lockerd"), "--config", str(s.config)], False), (["sleep", "30"], None)):
        before = (s.folder / "state" / "control.sock").exists()
        p = subprocess.Popen(program, cwd=folder, preexec_fn=limit, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if dumps is False:
            wait_for(lambda: (s.folder / "state" / "control.sock").exists(), what="lockerd up")
            mode = os.stat(f"/proc/{p.pid}/mem")
            assert mode.st_uid == 0  # the kernel's, not the user's: nobody but root reads its memory
        p.send_signal(signal.SIGABRT)
        _, status = os.waitpid(p.pid, 0)
        p.returncode = -signal.SIGABRT
        if dumps is False:
            assert not os.WCOREDUMP(status)
        for file in folder.iterdir():
            if dumps is False:
                search(file.name, file.read_bytes())
            file.unlink()
