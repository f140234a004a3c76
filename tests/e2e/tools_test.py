"""What installers and ops touch: configuration, second daemons, the ledger, sizes of promises."""
import csv
import itertools
import json
import os
import re
import select
import shutil
import sqlite3
import stat
import subprocess

from cabinet_kit import BIN, ROOT, Stand, wait_for


def lockerd(*args):
    return subprocess.run([BIN / "lockerd", *map(str, args)], capture_output=True, text=True, timeout=30)


def test_configuration_mistakes_all_at_once(stand):
    s = stand(start=False)
    good = s.config.read_text()
    assert lockerd("--check-config", s.config).returncode == 0
    bad = good.replace('id = "demo-1"', 'id = "demo 1"').replace('helf', 'help')
    bad = bad.replace('cabinet = "keys/cabinet.key"', 'cabinet = "keys/none.key"')
    bad = bad.replace('name = "B"\nbus = "line1"\naddress = 2', 'name = "B"\nbus = "line9"\naddress = 1\ncolour = "red"')
    bad = bad.replace('relay = { board = "A", channel = 2 }', 'relay = { board = "A", channel = 1 }')
    bad = bad.replace('relay = { board = "A", channel = 3 }', 'relay = { board = "A", channel = 9 }')
    bad = bad.replace('relay = { board = "A", channel = 4 }', 'relay = { board = "Z", channel = 1 }')
    bad = bad.replace('number = 6\n', 'number = 5\n')
    bad = bad.replace('baud = 9600', 'baud = 12345')
    s.config.write_text(bad)
    done = lockerd("--check-config", s.config)
    assert done.returncode == 78
    for wanted in ("cabinet.id", "keys/none.key", 'no [[bus]] "line9"', "board.colour: no such key", "door 1 is on this channel already",
                   "channel 9 is outside", 'no [[board]] "Z"', "door 5 stands twice", "bus.baud"):
        assert wanted in done.stderr, (wanted, done.stderr)
    lines = bad.splitlines()
    numbered = re.search(r"lockerd\.toml:(\d+): board\.colour", done.stderr)
    assert lines[int(numbered.group(1)) - 1] == 'colour = "red"'
    s.config.write_text("[cabinet\n")
    assert "lockerd.toml:1" in lockerd("--check-config", s.config).stderr
    assert lockerd("--check-config", "/nowhere").returncode == 78
    answer = json.loads(s.ctl("--json", "check-config", s.config, check=False).stdout)
    assert answer["ok"] is False and answer["errors"][0]["line"] == 1


def test_lines_and_profiles_that_are_wrong(stand):
    s = stand(start=False, transport="tcp")
    good = s.config.read_text()
    address = f"127.0.0.1:{s.modbus_port}"
    for wrong in ("10.0.0.5:502x", "tcp://10.0.0.5:502", "10.0.0.5", ":502", "10.0.0.5:0"):
        s.config.write_text(good.replace(address, wrong))
        assert '"host:port" is wanted' in lockerd("--check-config", s.config).stderr, wrong
    s.config.write_text(good.replace(f'"{address}"', '"[::1]:502"\nbaud = 9600\nrs485 = true'))
    said = lockerd("--check-config", s.config).stderr
    assert "baud belongs to a serial line" in said and "rs485 belongs to a serial line" in said
    own = (ROOT / "hal" / "boards" / "waveshare-8ch.toml").read_text()
    (s.folder / "boards").mkdir()
    (s.folder / "boards" / "mine.toml").write_text(own)
    s.config.write_text(good + '\n[profiles]\nfolder = "boards"\n')
    said = lockerd("--check-config", s.config).stderr
    assert 'mine.toml: name: "waveshare-8ch" is that of waveshare-8ch.toml already' in said
    (s.folder / "boards" / "mine.toml").write_text(own.replace("waveshare-8ch", "mine"))
    assert lockerd("--check-config", s.config).returncode == 0


def test_a_front_that_is_wrong(stand):
    wrong = '''
[[input]]
name = "keypad"
kind = "keypad"
serial = "/dev/ttyS9"
[[input]]
name = "keypad"
kind = "scanner"
device = "/dev/input/event3"
baud = 9600
layout = "xx"
[[input]]
name = "two"
kind = "scanner"
serial = "line.tty"
trigger_ms = 1000
[[output]]
name = "buzzer"
relay = { board = "A", channel = 1 }
yes = [150]
no = [200, 9999]
wait = "short"
[[sensor]]
kind = "mains"
input = { board = "A", channel = 1 }
trouble = "off"
[[sensor]]
kind = "mains"
input = { board = "A", channel = 7 }
'''
    s = stand(start=False, more=wrong)
    done = lockerd("--check-config", s.config)
    assert done.returncode == 78
    for wanted in ("a keypad is a USB-HID keyboard", 'input "keypad" stands twice', "baud belongs to a serial scanner", "input.layout",
                   'bus "line1" uses this line', 'only model = "gm65"', "output.relay: door 1 is on this channel already",
                   "output.yes: 150:", "output.no: a list of at most 9", "output.wait: a list", "sensor.input: door 1's contact",
                   "there is one mains already", "sensor.trouble"):
        assert wanted in done.stderr, (wanted, done.stderr)


def test_keys_from_credentials(stand, monkeypatch):
    s = stand(start=False)
    good = s.config.read_text()
    folder = s.folder / "credentials"
    folder.mkdir()
    shutil.copy(s.keys / "cabinet.key", folder / "cabinet.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    s.config.write_text(good.replace('"keys/cabinet.key"', '"credential:cabinet.key"'))
    assert lockerd("--check-config", s.config).returncode == 0
    s.config.write_text(good.replace('"keys/cabinet.key"', '"credential:../keys/cabinet.key"'))
    done = lockerd("--check-config", s.config)
    assert done.returncode == 78 and "is no credential's name" in done.stderr


def test_an_issuer_may_not_go_by_the_name_of_the_root(stand):
    s = stand(start=False)
    issuers = json.loads((s.keys / "issuers.json").read_text())
    issuers["keys"][0]["kid"] = "root"
    (s.keys / "issuers.json").write_text(json.dumps(issuers))
    done = lockerd("--check-config", s.config)
    assert done.returncode == 78 and "also that of a key in issuers" in done.stderr


def test_key_that_everybody_can_read(stand):
    s = stand(start=False)
    os.chmod(s.keys / "cabinet.key", 0o644)
    assert "chmod 0600" in lockerd("--check-config", s.config).stderr


def test_shared_input_counts_as_none(stand):
    s = stand(start=False)
    s.config.write_text(s.config.read_text().replace('input = { board = "A", channel = 2 }', 'input = { board = "A", channel = 1 }'))
    done = lockerd("--check-config", s.config)
    assert done.returncode == 0 and "shared by doors 1, 2" in done.stderr


def test_second_daemon_says_who_holds_what(stand):
    s = stand()
    second = lockerd("--config", s.config)
    assert second.returncode == 75
    assert "state folder" in second.stderr and f"process {s.daemon.popen.pid} (lockerd)" in second.stderr
    other = s.folder / "other.toml"
    other.write_text(s.config.read_text().replace('folder = "state"', 'folder = "state2"'))
    second = lockerd("--config", other)
    assert second.returncode == 75
    assert "line" in second.stderr and f"process {s.daemon.popen.pid} (lockerd)" in second.stderr


def test_ledger_verify_finds_an_altered_row(stand):
    s = stand()
    s.put_in("d-1")
    assert s.daemon.end() == 0
    database = s.folder / "state" / "locker.db"
    verify = lambda: s.ctl("--json", "log", "--database", database, "verify", check=False)
    assert json.loads(verify().stdout)["ok"]
    with sqlite3.connect(database) as db:
        db.execute("UPDATE ledger SET data = replace(data, 'd-1', 'd-2') WHERE sequence = 3")
    db.close()
    done = verify()
    assert done.returncode == 1 and "row 3 was altered" in done.stdout
    with sqlite3.connect(database) as db:
        db.execute("DELETE FROM ledger WHERE sequence = 3")
    db.close()
    assert "rows are missing" in verify().stdout


def test_clean_stop(stand):
    s = stand()
    s.open("open", compartment=1)
    assert s.daemon.end() == 0
    s.mqtt.event("daemon.stopping")
    wait_for(lambda: s.mqtt.state("status") == {"online": False})
    assert not any(b["coils_on"] for b in s.ask_sim(do="status")["boards"])
    assert not s.socket.exists()


def test_will_after_a_kill_and_its_mending(stand):
    s = stand()
    s.daemon.end(9)
    wait_for(lambda: s.mqtt.state("status") == {"online": False}, 30)
    s.start_daemon()
    s.mqtt.client.publish(f"{s.mqtt.root}/status", '{"online":false}', qos=1, retain=True).wait_for_publish(5)
    wait_for(lambda: (s.mqtt.state("status") or {}).get("online"))


def test_socket_is_for_owner_and_group(stand):
    s = stand()
    assert stat.S_IMODE(s.socket.stat().st_mode) == 0o660


def test_watch_and_status(stand):
    s = stand()
    watch = subprocess.Popen([BIN / "lockerctl", "--socket", s.socket, "watch"], stdout=subprocess.PIPE, text=True)
    try:
        change = itertools.cycle(["disable", "enable"])

        def heard():  # who begins to watch hears what comes from then on: when that is nobody tells
            s.mqtt.command(next(change), {"compartment": 2, "reason": "wet"})
            return select.select([watch.stdout], [], [], 0.2)[0]
        wait_for(heard, what="an event at the watcher")
        assert re.search(r"compartment\.(disabled|enabled)", watch.stdout.readline())
        s.mqtt.command("disable", {"compartment": 2, "reason": "wet"})
    finally:
        watch.terminate()
        watch.wait()
        watch.stdout.close()
    assert "disabled" in s.ctl("status")


def test_help_everywhere():
    for program in ("lockerd", "lockerctl", "lockersim"):
        done = subprocess.run([BIN / program, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and "Usage" in done.stdout
        assert subprocess.run([BIN / program, "--nonsense"], capture_output=True).returncode != 0


def test_no_secret_in_any_output(stand):
    s = stand()
    n = s.put_in("s-1")
    code = s.code("s-1").replace(" ", "")
    token = s.grant("open", compartment=n)
    s.mqtt.command("open", grant=token)
    s.enter(code)
    key = (s.keys / "cabinet.key").read_text().strip()
    seed = json.loads((s.keys / "issuer.jwk").read_text())["d"]
    s.daemon.end()
    files = [s.daemon.log, *(s.folder / "state").iterdir()]
    said = b"".join(p for t, p, _ in s.mqtt.messages if "/command/" not in t)
    for blob in [said, *[f.read_bytes() for f in files if f.is_file()]]:
        for secret in (key.encode(), bytes.fromhex(key), seed.encode(), code.encode(), token.split(".")[2].encode()):
            assert secret not in blob


def commands_of(program, path=()):
    """Every path of subcommands with its long options, as --help tells them."""
    text = subprocess.run([BIN / program, *path, "--help"], capture_output=True, text=True, check=True).stdout
    yield path, set(re.findall(r"(--[a-z][a-z-]+)", text.split("Options:")[1].split("Subcommands:")[0]))
    for name in re.findall(r"^  ([a-z][a-z-]+)  ", text.split("Subcommands:")[1], re.M) if "Subcommands:" in text else ():
        yield from commands_of(program, (*path, name))


def test_man_pages_tell_all():
    for program, section in (("lockerctl", 1), ("lockerd", 8), ("lockersim", 1)):
        page = (ROOT / "docs" / "man" / f"{program}.{section}").read_text()
        for path, options in commands_of(program):
            if path[:1] == ("mint",):
                continue  # each has its own --help, as the page says
            assert all(word in page for word in path), (program, path)
            for option in options:
                assert f"Fl {option[1:]}" in page, (program, path, option)


def test_completion_completes():
    script = subprocess.run([BIN / "lockerctl", "completion"], capture_output=True, text=True, check=True).stdout

    def completed(*words):
        line = " ".join(f"'{w}'" for w in words)
        done = subprocess.run(["bash", "-c", f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _lockerctl; echo "${{COMPREPLY[@]}}"'],
                              capture_output=True, text=True, timeout=10, check=True)
        return set(done.stdout.split())
    assert completed("lockerctl", "sta") == {"status", "staff"}
    assert completed("lockerctl", "log", "") >= {"show", "export", "verify", "--database"}
    assert completed("lockerctl", "log", "show", "--f") == {"--from", "--follow"}
    assert completed("lockerctl", "--socket", "/x", "--json", "log", "v") == {"verify"}
    assert "status" in completed("lockerctl", "nonsense", "")


def test_views_of_a_cabinet(stand):
    s = stand(policy='two_persons = "occupied"')
    assert s.roster(1, [{"number": "4711", "sub": "g", "permits": ["maintain", "settle"]}])["ok"]
    n = s.put_in("d-1")
    s.ask_sim(do="pull", door=5)
    s.mqtt.event("compartment.suspected", compartment=5)
    s.push(5)
    wait_for(lambda: "SUSP" in s.ctl("status"), what="the suspicion in the picture")
    assert "full" in s.ctl("status") and "alarm:  suspected/5" in s.ctl("status")
    assert "suspected: its door was opened without an opening" in s.ctl("doors", "--suspected")
    assert json.loads(s.ctl("--json", "doors"))[4]["suspicion"]
    assert re.search(rf"d-1 +{n} +return +deposited", s.ctl("deposits"))
    assert json.loads(s.ctl("--json", "deposits"))[0]["deposit"] == "d-1"
    # maintenance: who may, why, and not where two persons are wanted
    opened = s.ctl("open", 8, "--reason", "the hinge squeaks", "--staff", s.staff_code("4711"))
    assert "Door 8 is open" in opened
    assert s.mqtt.event("opening.authorised", compartment=8)["data"]["reason"] == "the hinge squeaks"
    s.shut_after_a_while(8)
    assert s.ctl("open", 8, "--staff", "4711#123456", check=False).returncode != 0  # no reason
    grants = [s.grant("open", epoch=False, compartment=n, sub=sub, reason="water") for sub in ("a", "b")]
    one = s.ctl("open", n, "--grant", grants[0], check=False)
    assert "second person" in one.stdout and not s.door(n)["open"]
    both = s.ctl("open", n, "--grant", *grants[1:], check=False)
    assert both.returncode == 0, both.stdout
    s.shut_after_a_while(n)
    health = json.loads(s.ctl("--json", "health"))
    assert next(h for h in health if h["compartment"] == n)["cycles"] == 2
    assert "learning" in s.ctl("health") and "learnt anew" in s.ctl("health", "--renewed", n)
    assert next(h for h in json.loads(s.ctl("--json", "health")) if h["compartment"] == n)["cycles"] == 0


def test_the_ledger_filtered_followed_and_exported(stand):
    s = stand()
    n = s.put_in("d-1")
    s.put_in("d-2")
    rows = [json.loads(line) for line in s.ctl("log", "export", "--deposit", "d-1", "--type", "opening").splitlines()]
    assert [r["type"] for r in rows] == ["opening.authorised", "opening.opened", "opening.closed"]
    assert all(r["data"]["compartment"] == n for r in rows)
    table = list(csv.DictReader(s.ctl("log", "export", "--format", "csv", "--door", n).splitlines()))
    assert [r["sequence"] for r in table] == [str(json.loads(line)["sequence"]) for line in s.ctl("log", "export", "--door", n).splitlines()]
    assert json.loads(table[0]["data"])["deposit"] == "d-1" and len(table[0]["hash"]) == 64
    assert s.ctl("log", "show", "--since", "2099-01-01T00:00:00Z") == ""
    assert s.ctl("log", "show", "--since", "yesterday", check=False).returncode == 2
    assert len(s.ctl("log", "show", "--from", 2, "--to", 3).splitlines()) == 2
    follow = subprocess.Popen([BIN / "lockerctl", "--socket", s.socket, "log", "show", "--follow", "--type", "compartment"],
                              stdout=subprocess.PIPE, text=True)
    try:
        change = itertools.cycle(["disable", "enable"])

        def heard():
            s.mqtt.command(next(change), {"compartment": 2, "reason": "wet"})
            return select.select([follow.stdout], [], [], 0.2)[0]
        wait_for(heard, what="a row at the follower")
        assert "compartment.disabled" in follow.stdout.readline()
    finally:
        follow.terminate()
        follow.wait()
        follow.stdout.close()
