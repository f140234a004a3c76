"""Whoever looks after the fleet: doors opened from afar, statistics, metrics, and the list of cabinets that there should be."""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone

import paho.mqtt.client as mqtt
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from cabinet_kit import ROOT, free_port, rfc3339, wait_for
from portal_kit import PASSWORD, Refused, poll
from portal_test import PHONE, put_in, until, use_door


@pytest.fixture
def office(stand, portal):
    s = stand()
    return s, portal(s)


def refused(ask, *args, **more):
    with pytest.raises(Refused) as e:
        ask(*args, **more)
    return e.value.code


def test_a_door_from_afar_is_opened_by_two_persons(office):
    s, p = office
    admin, second = p.worker("9000"), p.worker("4711")
    wish = {"cabinet": s.cabinet, "door": 5, "reason": "钥匙掉在柜里"}
    assert refused(second.ask, "/api/ops/openings", wish) == "not_permitted"
    assert refused(admin.ask, "/api/ops/openings", {**wish, "reason": ""}) == "malformed"
    asked = admin.ask("/api/ops/openings", wish)
    assert refused(admin.ask, f"/api/ops/openings/{asked['id']}/approve", {}) == "not_permitted"
    assert refused(admin.ask, "/api/ops/openings", wish) == "busy"
    assert refused(admin.ask, "/api/ops/openings", {**wish, "door": 99}) == "unknown_compartment"
    assert refused(admin.ask, "/api/ops/openings", {**wish, "door": 6, "reason": "  "}) == "malformed"
    assert s.pulses() == [0, 0]
    waiting = second.ask("/api/ops/openings")["openings"]
    assert [(o["door"], o["state"], o["mine"], o["use"], o["door_state"]) for o in waiting] == [(5, "asked", False, "vacant", "closed")]
    done = second.ask(f"/api/ops/openings/{asked['id']}/approve", {})
    assert done["outcome"] == "opened" and s.door(5)["open"]
    authorised = s.mqtt.event("opening.authorised", compartment=5)
    assert authorised["data"]["by"].startswith("grant:") and authorised["data"]["second"].startswith("grant:")
    assert "钥匙掉在柜里" in json.dumps(authorised, ensure_ascii=False)
    assert refused(second.ask, f"/api/ops/openings/{asked['id']}/approve", {}) == "wrong_state"
    s.push(5)
    other = admin.ask("/api/ops/openings", {**wish, "door": 6})
    assert second.ask(f"/api/ops/openings/{other['id']}/withdraw", {})["state"] == "withdrawn"
    third = admin.ask("/api/ops/openings", wish)
    s.daemon.end()
    p.wait_online(False)
    assert refused(second.ask, f"/api/ops/openings/{third['id']}/approve", {}) == "cabinet_offline"
    assert second.ask("/api/ops/openings")["openings"][0]["outcome"] == "cabinet_offline"
    assert refused(admin.ask, "/api/ops/openings", wish) == "cabinet_offline"
    said = [a["what"] for a in admin.ask("/api/admin/audit")["audit"]]
    assert "remote opening approved" in said and "remote opening asked for: 钥匙掉在柜里" in said
    assert {"remote opening ended: opened", "remote opening ended: cabinet_offline"} <= set(said)
    # The ledger names grants; whose they were the access log says.
    signed = next(w for w in said if authorised["data"]["by"].removeprefix("grant:") in w)
    assert f"grant {authorised['data']['second'].removeprefix('grant:')} for 4711" in signed and "for 9000" in signed


def test_statistics_count_what_happened_and_name_nobody(office):
    s, p = office
    resident, worker, admin = p.resident(PHONE), p.worker(), p.worker("9000")
    case, door = put_in(p, resident)
    resident.ask(f"/api/cases/{case}/confirm", {})
    until(worker, case, "submitted", "work")
    worker.ask(f"/api/work/{case}/open", {})
    use_door(s, door)
    until(worker, case, "with_staff", "work")
    row = poll(lambda: next(iter(admin.ask("/api/statistics?by=service")["rows"]), None), what="statistics")
    assert row["key"] == "residence-certificate" and row["title"] == "居住证明"
    assert (row["papers_in"], row["papers_taken"], row["collected"], row["openings"], row["jams"]) == (1, 1, 0, 2, 0)
    assert row["papers_taken_wait"]["half_within_s"] == 900
    assert admin.ask("/api/statistics?by=cabinet")["rows"][0]["title"] == "景慧小区 3 号柜"
    status, head, text = admin.send("/api/statistics.csv?by=day")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert status == 200 and head["Content-Type"].startswith("text/csv") and rows[0]["papers_in"] == "1"
    assert case not in text.decode() and PHONE[-4:] not in text.decode()
    for query in ("from=2026-13-01", "from=2026-02-01&to=2026-01-01", "by=person", "from=1970-01-01", "by=hour&service=residence-certificate", "by=hour&from=2026-02-01"):
        assert refused(admin.ask, f"/api/statistics?{query}") == "malformed", query
    assert refused(admin.ask, "/api/statistics?cabinet=typo") == "unknown_cabinet"
    assert refused(admin.ask, "/api/statistics?service=typo") == "unknown"
    assert refused(admin.ask, "/api/statistics?wanted=all") == "malformed"
    assert rows[0]["papers_taken_known"] == "1"
    today = rows[-1]["key"]
    assert admin.ask(f"/api/statistics?by=hour&from={today}&to={today}")["rows"][0]["papers_in"] == 1
    # Programs come with a token; it reads figures and nothing else.
    with_token = {"Authorization": f"Bearer {p.figures_token}"}
    fresh = type(admin)(p.origin)
    assert fresh.ask("/api/statistics?by=day", headers=with_token)["rows"]
    assert refused(fresh.ask, "/api/statistics", headers={"Authorization": "Bearer wrong"}) == "not_signed_in"
    assert refused(fresh.ask, "/api/statistics") == "not_signed_in"
    assert refused(fresh.ask, "/api/admin/cabinets", headers=with_token) == "not_signed_in"
    assert refused(worker.ask, "/api/statistics") == "not_permitted"


def test_metrics_are_openmetrics_and_what_docs_ask_for_is_there(office):
    s, p = office
    s.put_in("papers")
    s.ask_sim(do="pull", door=7)
    s.mqtt.event("door.forced", compartment=7)
    browser = p.worker("9000")

    def scrape():
        status, head, text = browser.send("/metrics", headers={"Authorization": f"Bearer {p.figures_token}"})
        assert status == 200 and head["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        families = {f.name: f for f in text_string_to_metric_families(text.decode())}
        # Each topic comes for itself; the counters are those of a message after the papers.
        return families if all(families[f].samples for f in ("locker_bus_requests", "locker_alarms", "locker_counted")) else None

    families = poll(scrape, what="metrics of the cabinet")
    value = lambda name, **labels: next(x.value for x in families[name].samples if labels.items() <= x.labels.items())
    assert value("locker_cabinet_online", cabinet=s.cabinet) == 1
    assert abs(value("locker_cabinet_heard_timestamp_seconds", cabinet=s.cabinet) - time.time()) < 60
    assert value("locker_alarms", kind="forced") == 1
    assert value("locker_compartments", use="occupied") == 1
    assert value("locker_bus_pulses", bus="line1") >= 0
    # Every figure of a live cabinet has a sample, but for an eMMC's life, which this disk does not tell.
    empty = {f.name for f in families.values() if not f.samples}
    assert empty <= {"locker_medium_life_used_ratio", "locker_lock_opening_seconds", "locker_portal_cases", "locker_portal_notices"}, empty
    assert value("locker_ledger_sequence") >= 5 and value("locker_store_commits") > 0 and value("locker_medium_free_bytes") > 2**20
    known = {x.name for f in families.values() for x in f.samples} | {f"{f.name}_total" if f.type == "counter" else f.name for f in families.values()}
    folder = ROOT / "docs" / "monitoring"
    for name in ("grafana.json", "alerts.yml"):
        asked = set(re.findall(r"\blocker_[a-z_]+", (folder / name).read_text()))
        assert asked and asked <= known, (name, asked - known)
    assert browser.send("/metrics", headers={"Authorization": "Bearer wrong"})[0] == 401


def test_a_cabinet_is_heard_when_it_speaks_whatever_its_clock_says(office):
    s, p = office
    admin = p.worker("9000")
    admin.ask("/api/admin/cabinets", {"id": "slow-1", "name": "慢钟", "place": "", "help": ""})
    say = lambda ago_s: s.mqtt.client.publish("locker/v1/slow-1/metrics", json.dumps({"at": rfc3339(datetime.now(timezone.utc) - timedelta(seconds=ago_s)), "every_ms": 60000}), 1, retain=True)

    def heard():
        text = admin.send("/metrics", headers={"Authorization": f"Bearer {p.figures_token}"})[2].decode()
        found = re.search(r'locker_cabinet_heard_timestamp_seconds\{cabinet="slow-1"\} (\S+)', text)
        return float(found[1]) if found else 0

    say(3600)  # said just now, by a clock that is an hour late
    poll(lambda: abs(heard() - time.time()) < 30, what="heard now")
    p.end()
    p.start()
    admin = p.worker("9000")
    poll(lambda: 3500 < time.time() - heard() < 3700, what="what the broker kept is as old as it says")


def test_a_cabinet_that_burned_goes_with_its_papers_when_that_is_said(office):
    s, p = office
    resident, admin = p.resident(PHONE), p.worker("9000")
    case, _ = put_in(p, resident)
    assert refused(admin.ask, f"/api/admin/cabinets/{s.cabinet}/remove", {}) == "wrong_state"
    s.daemon.end(signal.SIGKILL)
    assert admin.ask(f"/api/admin/cabinets/{s.cabinet}/remove", {"anyway": True})["removed"]
    assert resident.ask(f"/api/cases/{case}")["state"] == "at_counter"
    assert "counter" in [n["template"] for n in p.inbox(PHONE)]
    assert admin.ask(f"/api/work/{case}/hand-over", {})["state"] == "done"


def test_an_account_that_a_colleague_has_just_made_is_no_second_person(office):
    s, p = office
    admin = p.worker("9000")
    asked = admin.ask("/api/ops/openings", {"cabinet": s.cabinet, "door": 5, "reason": "钥匙掉在柜里"})
    made = admin.ask("/api/admin/staff", {"number": "4800", "name": "新同事", "role": "worker", "cabinets": ["*"], "password": PASSWORD})
    p.staff["4800"] = made["totp"]
    fresh = p.worker("4800")
    assert refused(fresh.ask, f"/api/ops/openings/{asked['id']}/approve", {}) == "not_permitted"
    assert p.worker("4711").ask(f"/api/ops/openings/{asked['id']}/approve", {})["outcome"] == "opened"
    said = [(a["who"], a["what"]) for a in admin.ask("/api/admin/audit")["audit"]]
    assert ("staff:9000", "staff added") in said and ("command line", "staff added") in said


def test_the_broker_that_the_document_describes_starts_and_lets_dashboards_read(tmp_path):
    text = (ROOT / "docs" / "monitoring.md").read_text()
    given = next(block for block in text.split("```")[1::2] if "max_queued_messages" in block)
    for name in ("cabinets", "dashboard"):
        subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / f"{name}.passwd", name, "secret"], check=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "broker.key", "-out", tmp_path / "broker.crt",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    (tmp_path / "acl").write_text("user cabinets\ntopic write locker/v1/#\n")
    shutil.copy(ROOT / "docs" / "monitoring" / "dashboard.acl", tmp_path)
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    ports = {"8883": free_port(), "9001": free_port()}
    for there, here in {"/etc/mosquitto/certs": tmp_path, "/etc/mosquitto/passwd": tmp_path / "cabinets.passwd", "/etc/mosquitto": tmp_path, **ports}.items():
        given = given.replace(there, str(here))
    (tmp_path / "mosquitto.conf").write_text(given + ("user root\n" if os.geteuid() == 0 else ""))
    broker = subprocess.Popen([shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin"), "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.PIPE, text=True)
    heard, clients = [], []

    def client(name, password, port, transport):
        c = mqtt.Client(client_id=f"{name}-{len(clients)}", transport=transport)
        c.username_pw_set(name, password)
        c.tls_set(tmp_path / "broker.crt")
        c.codes = []
        c.on_connect = lambda _c, _u, _f, code: c.codes.append(code)
        wait_for(lambda: broker.poll() is not None or not c_connect(c, port), what="the broker")
        assert broker.poll() is None, broker.stderr.read()
        c.loop_start()
        clients.append(c)
        wait_for(lambda: c.codes, what="an answer")
        return c

    def c_connect(c, port):
        try:
            return c.connect("localhost", port)
        except OSError:
            return -1

    try:
        dashboard = client("dashboard", "secret", ports["9001"], "websockets")
        assert dashboard.codes == [0]
        dashboard.on_message = lambda _c, _u, m: heard.append((m.topic, m.payload))
        dashboard.subscribe([("locker/v1/+/status", 0), ("locker/v1/+/command/+", 0)])
        client("dashboard", "secret", ports["9001"], "websockets").publish("locker/v1/a/status", "forged", 0)  # it is hung up on
        cabinet = client("cabinets", "secret", ports["8883"], "tcp")
        cabinet.publish("locker/v1/a/command/open", "{}", 1).wait_for_publish(10)
        wait_for(lambda: cabinet.publish("locker/v1/a/status", "{}", 1).rc == 0 and heard, what="the status")
        assert set(heard) == {("locker/v1/a/status", b"{}")}
        assert client("dashboard", "wrong", ports["9001"], "websockets").codes[0] != 0
    finally:
        for c in clients:
            c.loop_stop()
        broker.terminate()
        broker.wait(10)


def test_the_fleet_is_told_and_a_cabinet_that_is_removed_is_not(stand, portal):
    s = stand(start=False)
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon()
    told = []
    s.mqtt.client.message_callback_add("locker/fleet", lambda _c, _u, m: told.append(json.loads(m.payload)))
    s.mqtt.client.subscribe("locker/fleet", 1)
    p = portal(s)
    ids = lambda: [c["id"] for c in told[-1]["cabinets"]] if told else None
    wait_for(lambda: ids() == [s.cabinet], what="the fleet")
    admin = p.worker("9000")
    admin.ask("/api/admin/cabinets", {"id": "never-1", "name": "从未上线", "place": "南门", "help": ""})
    wait_for(lambda: ids() == [s.cabinet, "never-1"], what="the new one")
    admin.ask("/api/admin/cabinets/never-1/remove", {})
    wait_for(lambda: ids() == [s.cabinet], what="it gone")
    p.ctl("enrol", "forgot-1", "--name", "忘了通电")
    wait_for(lambda: ids() == [s.cabinet, "forgot-1"], what="the one that the command line enrolled")
    assert refused(admin.ask, f"/api/admin/cabinets/{s.cabinet}/remove", {}) == "wrong_state"  # it is online
    s.put_in("papers")  # of no case
    s.daemon.end()
    p.wait_online(False)
    assert refused(admin.ask, f"/api/admin/cabinets/{s.cabinet}/remove", {}) == "wrong_state"
    s.start_daemon()
    p.wait_online(True)
    assert refused(admin.ask, "/api/admin/cabinets", {"id": "never-1", "name": "又一个", "place": "", "help": ""}) == "taken"
    assert s.mqtt.state("status")["online"]
