"""What keeps a cabinet over the years: backup and restore, upgrades, records of what was done by hand."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess

from cabinet_kit import BIN, wait_for


def care(s, *args, json_too=True):
    """lockerctl's exit code, what it printed, what it complained of."""
    done = s.ctl(*(["--json"] if json_too else []), *args, "--config", s.config, check=False)
    return done.returncode, done.stdout, done.stderr


def new_key(s):
    """What the portal's new key and `provision --replace` come to: another cabinet.key, the old one kept beside."""
    key = s.keys / "cabinet.key"
    key.rename(s.keys / "cabinet.key.before")
    s.ctl("mint", "keys", s.folder / "fresh")
    shutil.copy(s.folder / "fresh" / "cabinet.key", key)


def test_backup_while_it_runs_and_a_restore_that_gives_nothing_away(stand):
    s = stand()
    kept = s.put_in("kept")
    taken = s.put_in("taken")
    used = s.code("taken")
    backup = s.folder / "backup"
    code, out, _ = care(s, "backup", backup)
    told = json.loads(out)
    assert code == 0 and told["ok"]
    assert sorted(p.name for p in backup.iterdir()) == ["locker.db", "lockerd.toml"]
    assert backup.stat().st_mode & 0o777 == 0o700 and (backup / "locker.db").stat().st_mode & 0o777 == 0o600
    assert care(s, "backup", backup)[0] == 2  # never over another one
    # Since then a code is used; that the backup does not know it must not matter.
    assert s.enter(used)["ok"]
    s.take_out("taken", taken)
    old_grant = s.grant("open", epoch=False, compartment=3)
    code, _, why = care(s, "restore", backup, "--replace")
    assert code == 2 and "is held by" in why  # lockerd runs
    assert s.daemon.end() == 0
    code, _, why = care(s, "restore", backup)
    assert code == 2 and "--replace" in why
    before = (s.folder / "state" / "locker.db").read_bytes()
    code, _, why = care(s, "restore", backup, "--replace")
    assert code == 1 and "knows the cabinet's key" in why and "nothing was changed" in why
    assert (s.folder / "state" / "locker.db").read_bytes() == before
    new_key(s)
    code, out, why = care(s, "restore", backup, "--replace")
    assert code == 0 and json.loads(out)["sequence"] == told["sequence"], why
    replaced = list((s.folder / "state").glob("locker.db.replaced-*"))
    assert [p for p in replaced if not p.name.endswith(("-wal", "-shm"))]
    # A second time with the same key would forget what it is about to open.
    code, _, why = care(s, "restore", backup, "--replace")
    assert code == 1 and "new key in the portal for each restore" in why
    for p in (s.folder / "state").glob("locker.db*"):
        p.rename(s.folder / p.name)  # a new card: what was restored with which key stands beside the keys
    assert care(s, "restore", backup)[0] == 1
    for p in s.folder.glob("locker.db*"):
        p.rename(s.folder / "state" / p.name)
    pulses = s.pulses()
    s.start_daemon()
    wait_for(lambda: all(c.get("suspicion") for c in json.loads(s.ctl("--json", "doors"))))
    assert not s.enter(used)["ok"]
    old = s.ctl("mint", "code", "--key", s.keys / "cabinet.key.before", "--deposit", "kept")
    assert not s.enter(old)["ok"]
    assert s.enter(old_grant, via="scanner")["error"]["code"] in ("expired", "replayed")
    assert s.pulses() == pulses
    assert s.enter(s.code("kept"))["ok"]  # by the new key its owner gets what the backup knows of
    assert s.take_out("kept", kept) == "papers"
    assert s.open("settle", compartment=taken, deposit="taken")["ok"]  # staff find it empty: it ends
    s.shut_after_a_while(taken)
    s.mqtt.event("deposit.reclaimed", deposit="taken")
    s.mqtt.event("compartment.settled", compartment=taken)


def test_what_is_no_good_is_not_restored(stand):
    s = stand()
    s.put_in("d")
    backup = s.folder / "backup"
    assert care(s, "backup", backup)[0] == 0
    # A key that came after the backup, and was used: what it opened would open again.
    assert s.daemon.end() == 0
    new_key(s)
    s.start_daemon()
    assert s.daemon.end() == 0
    code, _, why = care(s, "restore", backup, "--replace")
    assert code == 1 and "was in use already" in why
    (s.keys / "cabinet.key.before").unlink()
    shutil.rmtree(s.folder / "fresh")
    new_key(s)

    def refused(change, why):
        bad = s.folder / "bad"
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(backup, bad)
        change(bad / "locker.db")
        code, out, said = care(s, "restore", bad, "--replace")
        assert code in (1, 2) and why in said and not out, (code, said)

    def sql(text):
        def change(file):
            db = sqlite3.connect(file)
            db.execute(text)
            db.commit()
            db.close()
        return change

    refused(lambda f: f.write_bytes(b"no database at all" * 100), "not a database")
    refused(sql("UPDATE ledger SET data = '{\"deposit\":\"x\"}' WHERE sequence = 2"), "row 2 was altered")
    refused(sql("DELETE FROM ledger WHERE sequence < 3"), "the beginning was cut off")
    refused(sql("UPDATE state SET value = replace(value, 'demo-1', 'demo-2') WHERE kind = 'meta'"), "of cabinet")
    refused(sql("PRAGMA user_version = 1000"), "newer major version")
    refused(sql("DELETE FROM state WHERE kind = 'meta'"), "no lockerd has ever written it")
    s.start_daemon()  # all of it changed nothing but the key, which is new: suspected, and at work
    s.mqtt.event("compartment.suspected")


def test_upgrade_check(stand):
    s = stand()
    code, out, _ = care(s, "upgrade-check")
    assert code == 0 and json.loads(out)["ok"]
    assert care(s, "upgrade-check", "--after", "--wait", "20")[0] == 0
    s.fault("jam", door=1)
    sent = s.mqtt.send("open", grant=s.grant("open", compartment=1))
    s.mqtt.event("opening.authorised", compartment=1)
    code, _, why = care(s, "upgrade-check", json_too=False)
    assert code == 1 and "1 opening is in progress" in why
    assert care(s, "upgrade-check", "--wait", "30")[0] == 0  # it waits for its end
    assert s.mqtt.replies[sent]["error"]["code"] == "jammed"
    # One board that does not answer was perhaps lost before; when none does, the new release is no good.
    s.fault("silent", board=2)
    s.mqtt.event("board.lost", board="B")
    wait_for(lambda: care(s, "upgrade-check", "--after")[0] == 0)
    s.fault("silent", board=1)
    s.mqtt.event("board.lost", board="A")
    wait_for(lambda: "no board answers" in care(s, "upgrade-check", "--after")[1])
    s.fault("silent", on=False, board=1)
    s.fault("silent", on=False, board=2)
    s.config.write_text(s.config.read_text().replace("[policy]", "[policy]\nnonsense = 1"))
    assert care(s, "upgrade-check")[0] == 78
    s.write_config()
    assert s.daemon.end() == 0
    code, _, why = care(s, "upgrade-check", "--after", json_too=False)
    assert code == 1 and "no lockerd listens" in why
    db = sqlite3.connect(s.folder / "state" / "locker.db")
    db.execute("PRAGMA user_version = 1000")
    db.close()
    code, _, why = care(s, "upgrade-check")
    assert code == 2 and "newer major version" in why
    assert run_to_its_end(s) == (65, f"lockerd: state folder {s.folder}/state: database {s.folder}/state/locker.db: it was written by a newer "
                                 "major version; start that one; nothing was changed")
    db = sqlite3.connect(s.folder / "state" / "locker.db")
    db.execute("PRAGMA user_version = 1")
    db.close()
    s.start_daemon()


def run_to_its_end(s):
    done = subprocess.run([BIN / "lockerd", "--config", s.config], capture_output=True, text=True, timeout=30)
    lines = [line for line in done.stderr.splitlines() if line.startswith("lockerd: ")]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def test_state_folder_that_is_missing(stand):
    s = stand()
    s.put_in("d")
    assert s.daemon.end() == 0
    state = s.folder / "state"
    lost = state.rename(s.folder / "lost")
    s.config.write_text(s.config.read_text().replace("[state]", "[state]\nmust_exist = true"))
    code, why = run_to_its_end(s)
    assert code == 78 and "must_exist" in why and "restore" in why
    assert not state.exists()
    state.mkdir()
    (state / "locker.db").touch()  # what a repair of the file system may leave
    code, why = run_to_its_end(s)
    assert code == 78 and "must_exist" in why
    shutil.rmtree(state)
    lost.rename(state)
    mark = state / "locker.db.restoring"
    mark.touch()
    code, why = run_to_its_end(s)
    assert code == 78 and "restore was interrupted" in why
    mark.unlink()
    s.start_daemon()
    assert s.enter(s.code("d"))["ok"]
    s.take_out("d", 1)
    # Where it need not exist it begins anew, and knows nothing that could open a door.
    assert s.daemon.end() == 0
    s.write_config()
    shutil.rmtree(state)
    s.start_daemon()
    assert not s.enter(s.code("d"))["ok"]


def test_opened_with_the_mechanical_key(stand):
    s = stand()
    n = s.put_in("papers")
    told = s.ctl("emergency", n, "--reason", "4711 of the service: no power")
    assert f"door {n}" in told
    event = s.mqtt.event("opening.mechanical", compartment=n)
    assert event["data"]["reason"] == "4711 of the service: no power" and event["data"]["deposit"] == "papers"
    s.ctl("emergency", n, "--emptied", "--reason", "handed to its owner")
    s.mqtt.event("deposit.reclaimed", deposit="papers")
    wait_for(lambda: s.mqtt.state(f"compartment/{n}")["use"] == "suspected")
    assert not s.enter(s.code("papers"))["ok"]
    assert s.ctl("emergency", n, "--emptied", "--reason", "again", check=False).returncode == 1


def test_ledger_that_was_cut_off_and_examined(stand):
    s = stand()
    s.put_in("d")
    assert s.daemon.end() == 0
    db = sqlite3.connect(s.folder / "state" / "locker.db")
    db.execute("DELETE FROM ledger WHERE sequence <= 2")
    db.commit()
    db.close()
    s.start_daemon()
    wait_for(lambda: s.mqtt.state("alarm/ledger"))
    verified = s.ctl("--json", "log", "verify", check=False)
    assert verified.returncode == 1 and "beginning was cut off" in json.loads(verified.stdout)["wrong"]
    s.ctl("log", "examined", "--reason", "a card was copied by hand")
    s.mqtt.event("ledger.examined", reason="a card was copied by hand")
    wait_for(lambda: not s.mqtt.state("alarm/ledger"))
    assert s.daemon.end() == 0
    s.daemon = None  # the chain's verification at the end would tell the truth, and fail


def test_provision_again_with_a_new_key(tmp_path):
    ctl = BIN / "lockerctl"
    key = {"kty": "OKP", "crv": "Ed25519", "kid": "portal", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "acts": ["deposit"]}

    def bundle(secret):
        file = tmp_path / "bundle.json"
        file.write_text(json.dumps({
            "form": "cloud-locker-provisioning/1", "cabinet": {"id": "c-1", "name": "n", "place": "", "help": ""}, "cabinet_key": secret,
            "issuers": {"version": 1, "keys": [key]}, "broker": {"uri": "mqtt://127.0.0.1:1", "username": "u", "password": secret[:8]}}))
        return file

    def provision(secret, *more):
        return subprocess.run([ctl, "provision", bundle(secret), "--folder", tmp_path / "etc", *more], capture_output=True, text=True)

    first, second = "01" * 31 + "aa", "02" * 31 + "bb"
    assert provision(first, "--replace").returncode == 2  # nothing is there to be replaced
    assert provision(first).returncode == 0
    config = tmp_path / "etc" / "lockerd.toml"
    keys = tmp_path / "etc" / "keys"
    config.write_text(config.read_text() + "# wired\n")
    assert provision(second).returncode == 2
    assert provision(second, "--replace").returncode == 0
    assert "# wired" in config.read_text()
    assert (keys / "cabinet.key").read_text().strip() == second and (keys / "cabinet.key.before").read_text().strip() == first
    assert (keys / "broker.password").read_text().strip() == second[:8]
    for file in keys.iterdir():
        assert file.stat().st_mode & 0o077 in (0, 0o044), pathlib.Path(file)
    assert keys.stat().st_mode & 0o777 == 0o700
    assert "already" in provision(second, "--replace").stderr
    third = "03" * 31 + "cc"
    config.write_text(config.read_text().replace('id = "c-1"', 'id = "c-2"'))
    assert "of cabinet c-1, the configuration of c-2" in provision(third, "--replace").stderr
    config.write_text(config.read_text().replace('id = "c-2"', 'id = "c-1"'))
    assert provision(third, "--replace").returncode == 0
    assert (keys / "cabinet.key.before").read_text().strip() == first and (keys / "cabinet.key.before-2").read_text().strip() == second


FIRST = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "first-release"


def test_database_of_the_first_release(stand, tmp_path):
    """Written by the first release that there was; this one goes on with it, and forgets nothing that was used."""
    used = json.loads((FIRST / "used.json").read_text())
    keys = tmp_path / "keys"
    keys.mkdir()
    subprocess.run([BIN / "lockerctl", "mint", "keys", tmp_path / "more"], check=True, capture_output=True)
    for name in ("root.json", "root.jwk"):
        shutil.copy(tmp_path / "more" / name, keys)
    for name in ("cabinet.key", "issuers.json", "issuer.jwk"):
        shutil.copy(FIRST / name, keys)
        (keys / name).chmod(0o600)
    state = tmp_path / "state"
    state.mkdir(mode=0o750)
    db = sqlite3.connect(state / "locker.db")
    db.executescript((FIRST / "locker.sql").read_text())
    rows = db.execute("SELECT max(sequence) FROM ledger").fetchone()[0]
    debt = db.execute("SELECT value FROM state WHERE kind = 'throttle'").fetchone()[0]
    db.close()
    s = stand(folder=tmp_path, cabinet="fixture-1", doors=6)
    assert json.loads(s.ctl("--json", "log", "verify"))["rows"] > rows
    assert s.mqtt.state(f"compartment/{used['door']}")["deposit"] == "waits"
    assert not s.enter(used["code"])["ok"]
    assert not s.enter(used["grant"], via="scanner")["ok"]
    assert json.loads(debt)["slow"]["debt"] > 0  # wrong codes were typed …
    db = sqlite3.connect(f"file:{state}/locker.db?mode=ro", uri=True)
    assert json.loads(db.execute("SELECT value FROM state WHERE kind = 'throttle'").fetchone()[0])["slow"]["debt"] > 0  # … and still count
    db.close()
    assert s.enter(s.code("waits"))["ok"]
    s.take_out("waits", used["door"])
    # A release of the same major that came later wrote it in between: this one is the rollback.
    s.put_in("later")
    code = s.code("later")
    assert s.daemon.end() == 0
    db = sqlite3.connect(state / "locker.db")
    db.executescript("ALTER TABLE state ADD COLUMN later TEXT; ALTER TABLE ledger ADD COLUMN later TEXT;"
                     "CREATE TABLE later (x); INSERT INTO state (kind, key, value, until) VALUES ('later', 'credential', '{}', 0);"
                     "UPDATE state SET value = json_set(value, '$.later', 1) WHERE kind = 'deposit';"
                     "PRAGMA user_version = 2;")
    db.close()
    s.start_daemon()
    assert s.enter(code)["ok"]
    db = sqlite3.connect(f"file:{state}/locker.db?mode=ro", uri=True)
    assert db.execute("SELECT count(*) FROM state WHERE kind = 'later'").fetchone()[0] == 1
    assert db.execute("PRAGMA user_version").fetchone()[0] == 2
    db.close()


def test_upgrade_check_of_a_lockerd_that_hangs(stand):
    s = stand()
    os.kill(s.daemon.popen.pid, signal.SIGSTOP)
    code, out, _ = care(s, "upgrade-check", "--after")
    assert code == 1 and "does not answer" in json.loads(out)["why"]
    os.kill(s.daemon.popen.pid, signal.SIGCONT)
    # By the configuration's own socket, not the usual one.
    done = subprocess.run([BIN / "lockerctl", "--json", "upgrade-check", "--config", s.config], capture_output=True, text=True)
    assert {"check": "openings", "found": "none in progress"} in json.loads(done.stdout)["checks"]
