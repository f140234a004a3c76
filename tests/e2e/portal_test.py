"""The scanning flow over its HTTP API: a real portal, broker, cabinet and line."""
import json
import re
import signal
import sqlite3

import pytest

from cabinet_kit import read_qr_image, wait_for
from portal_kit import Browser, Refused, poll

PHONE = "+8613800138000"


def state(browser, case, side="cases"):
    return browser.ask(f"/api/{side}/{case}")


def until(browser, case, wanted, side="cases", seconds=20):
    return poll(lambda: (lambda c: c if c["state"] == wanted else None)(state(browser, case, side)), seconds, f"state {wanted}")


def use_door(s, n, put=None):
    """Whoever stands there puts something in, or takes all out, and shuts the door."""
    wait_for(lambda: s.door(n)["open"], what=f"door {n} open")
    s.ask_sim(do="put", door=n, content=put) if put else s.ask_sim(do="take", door=n)
    s.shut_after_a_while(n)


def put_in(portal, resident, service="residence-certificate"):
    case = resident.ask("/api/cases", {"cabinet": portal.stand.cabinet, "service": service})["id"]
    door = resident.ask(f"/api/cases/{case}/open", {"at_door": True})["door"]
    use_door(portal.stand, door, "papers")
    until(resident, case, "papers_in")
    return case, door


def to_ready(portal, resident, worker):
    case, door = put_in(portal, resident)
    resident.ask(f"/api/cases/{case}/confirm", {})
    until(worker, case, "submitted", "work")
    assert worker.ask(f"/api/work/{case}/open", {})["door"] == door
    use_door(portal.stand, door)
    until(worker, case, "with_staff", "work")
    back = worker.ask(f"/api/work/{case}/open", {"size": "M"})["door"]
    use_door(portal.stand, back, "papers")
    until(worker, case, "returning", "work")
    worker.ask(f"/api/work/{case}/confirm", {})
    until(resident, case, "ready")
    return case, back


def test_the_story(stand, portal):
    s = stand()
    p = portal(s)
    resident, worker = p.resident(PHONE), p.worker()
    case, door = put_in(p, resident)
    assert resident.ask(f"/api/cases/{case}")["deposit"]["door"] == door
    resident.ask(f"/api/cases/{case}/confirm", {})
    until(resident, case, "submitted")
    assert any(n["template"] == "new_case" for n in worker.ask("/api/work/inbox")["notices"])
    listed = worker.ask("/api/work")["cases"]
    assert [c["id"] for c in listed] == [case] and listed[0]["phone"] == "138****8000"
    worker.ask(f"/api/work/{case}/open", {})
    use_door(s, door)
    until(worker, case, "with_staff", "work")
    worker.ask(f"/api/work/{case}/review", {"note": "complete"})
    worker.ask(f"/api/work/{case}/ask", {"papers": ["户口本"], "note": "请补"})
    assert [n["template"] for n in p.inbox(PHONE)].count("asked") == 1
    assert state(resident, case)["papers"][0]["zh"] == "户口本"
    again = resident.ask(f"/api/cases/{case}/open", {"at_door": True})["door"]
    use_door(s, again, "household register")
    until(resident, case, "papers_in")
    resident.ask(f"/api/cases/{case}/confirm", {})
    until(worker, case, "submitted", "work")
    worker.ask(f"/api/work/{case}/open", {})
    use_door(s, again)
    until(worker, case, "with_staff", "work")
    back = worker.ask(f"/api/work/{case}/open", {"size": "M"})["door"]
    use_door(s, back, "certificate")
    until(worker, case, "returning", "work")
    worker.ask(f"/api/work/{case}/confirm", {})
    until(resident, case, "ready")
    assert [n["template"] for n in p.inbox(PHONE)].count("ready") == 1
    code = resident.ask(f"/api/cases/{case}/code", {})
    assert code["door"] == back and len(code["code"]) == 9
    assert resident.ask(f"/api/cases/{case}/code", {})["code"] == code["code"]  # shown again, not another
    assert s.enter(code["code"])["ok"]
    use_door(s, back)
    done = until(resident, case, "done")
    assert [h["what"] for h in done["history"]] == [
        "begun", "papers_lie", "said_deposited", "confirmed", "taken", "reviewed", "asked", "papers_lie", "said_deposited", "confirmed",
        "taken", "return_lies", "said_deposited", "ready", "collected"]


def test_collect_by_phone_forget_and_come_back(stand, portal):
    s = stand()
    p = portal(s)
    resident, worker = p.resident(PHONE), p.worker()
    case, door = to_ready(p, resident, worker)
    with pytest.raises(Refused) as e:
        resident.ask(f"/api/cases/{case}/open", {})
    assert e.value.code == "not_at_door"
    assert resident.ask(f"/api/cases/{case}/open", {"at_door": True})["door"] == door
    use_door(s, door)
    until(resident, case, "done")
    assert resident.ask(f"/api/cases/{case}/open", {"at_door": True})["door"] == door  # forgot something
    use_door(s, door)


def test_a_delegate_collects_and_a_lost_phone_ends_codes(stand, portal):
    s = stand()
    p = portal(s)
    resident, worker, friend = p.resident(PHONE), p.worker(), p.resident("+8613900139000")
    case, door = to_ready(p, resident, worker)
    for path in (f"/api/cases/{case}/code", f"/api/cases/{case}/open"):
        with pytest.raises(Refused) as e:
            friend.ask(path, {"at_door": True})
        assert e.value.status == 404  # to a stranger there is no such case
    old = resident.ask(f"/api/cases/{case}/code", {})["code"]
    assert resident.ask(f"/api/cases/{case}/revoke", {})["cabinet_told"]
    refused = s.enter(old)
    assert not refused["ok"] and refused["error"]["code"] in ("wrong_code", "expired")
    resident.ask(f"/api/cases/{case}/delegate", {"phone": "139 0013 9000"})
    assert [n["template"] for n in p.inbox("+8613900139000")].count("ready_delegate") == 1
    code = friend.ask(f"/api/cases/{case}/code", {})["code"]
    assert code != old
    seen = friend.ask(f"/api/cases/{case}")  # what collecting takes, and no more
    assert not seen["owner"] and seen["papers"] == [] and "history" not in seen
    with pytest.raises(Refused):
        friend.ask(f"/api/cases/{case}/delegate", {"phone": "13700137000"})
    assert s.enter(code)["ok"]
    use_door(s, door)
    until(resident, case, "done")


def test_taken_back_by_whoever_put_it_in(stand, portal):
    s = stand()
    p = portal(s)
    resident, worker = p.resident(PHONE), p.worker()
    case, door = put_in(p, resident)
    assert resident.ask(f"/api/cases/{case}/open", {"at_door": True, "back": True})["door"] == door
    use_door(s, door)
    until(resident, case, "awaiting_papers")
    resident.ask(f"/api/cases/{case}/cancel", {})
    case, door = to_ready(p, resident, worker)
    assert worker.ask(f"/api/work/{case}/open", {"back": True})["door"] == door
    use_door(s, door)
    until(worker, case, "with_staff", "work")
    worker.ask(f"/api/work/{case}/ask", {"papers": ["户口本（原件）"], "note": "照片太模糊"})
    assert resident.ask(f"/api/cases/{case}")["papers"] == [{"zh": "户口本", "en": "户口本", "original": True}]
    with pytest.raises(Refused):
        resident.ask(f"/api/cases/{case}/cancel", {})  # the office has theirs
    assert [c["id"] for c in worker.ask("/api/work")["cases"]] == [case]


def test_what_lies_there_is_collected_by_what_can_be_ended(stand, portal):
    """A resident gets no grant as a QR code for it; a code that bounced at the door ends with the phone."""
    s = stand()
    p = portal(s)
    resident, worker = p.resident(PHONE), p.worker()
    case, door = to_ready(p, resident, worker)
    with pytest.raises(Refused) as e:
        resident.ask(f"/api/cases/{case}/slip", {"at_door": True})
    assert e.value.code == "wrong_state"
    code = resident.ask(f"/api/cases/{case}/code", {})["code"]
    assert s.enter(code)["ok"]
    wait_for(lambda: s.door(door)["open"], what="the door open")
    s.wait_for_coils_off()
    s.shut(door)  # within a second and a half: a bounce, the code is good again
    s.mqtt.event("opening.closed", bounced=True)
    assert resident.ask(f"/api/cases/{case}/revoke", {})["cabinet_told"]
    assert not s.enter(code)["ok"]


def test_cut_off_at_each_step(stand, portal):
    """The cabinet's uplink is cut: QR codes and the nine digits work, and all ends right when it is back."""
    s = stand()
    p = portal(s)
    resident, worker = p.resident(PHONE), p.worker()
    poll(lambda: known_roster(p), what="the roster at the cabinet")

    def cut():
        s.broker.end()
        p.wait_online(False)

    def mended():
        s.start_broker()
        p.wait_online()

    case = resident.ask("/api/cases", {"cabinet": s.cabinet, "service": "residence-certificate"})["id"]
    cut()
    with pytest.raises(Refused) as e:
        resident.ask(f"/api/cases/{case}/open", {"at_door": True})
    assert e.value.code == "cabinet_offline"
    token = read_qr(s, resident.ask(f"/api/cases/{case}/slip", {"at_door": True})["qr"])
    door = s.enter(token, via="scanner")["result"]["compartment"]
    use_door(s, door, "papers")
    resident.ask(f"/api/cases/{case}/confirm", {})  # noted; said to the cabinet later
    mended()
    until(resident, case, "submitted")
    cut()
    in_code = worker.ask("/api/work/staff-code", {"cabinet": s.cabinet})
    terminal = s.terminal()
    assert terminal.enter(f"{in_code['number']}#{in_code['code']}")["ok"]
    assert terminal.enter("next")["ok"]
    use_door(s, door)
    mended()
    until(worker, case, "with_staff", "work")
    cut()
    token = read_qr(s, worker.ask(f"/api/work/{case}/slip", {"size": "S"})["qr"])
    back = s.enter(token, via="scanner")["result"]["compartment"]
    use_door(s, back, "certificate")
    worker.ask(f"/api/work/{case}/confirm", {})
    mended()
    until(resident, case, "ready")
    cut()
    lost = resident.ask(f"/api/cases/{case}/code", {})["code"]
    assert not resident.ask(f"/api/cases/{case}/revoke", {})["cabinet_told"]  # noted; said to the cabinet later
    mended()
    s.mqtt.event("credential.revoked", issue_min=1)
    assert not s.enter(lost)["ok"]
    cut()
    code = resident.ask(f"/api/cases/{case}/code", {})
    assert read_qr(s, code["qr"]) == code["code"]
    assert s.enter(code["code"], via="scanner")["ok"]
    use_door(s, back)
    mended()
    until(resident, case, "done")


def test_killed_at_any_moment(stand, portal):
    """The portal is killed in the middle of each step; events are taken in without a gap, notices neither lost nor doubled."""
    s = stand()
    p = portal(s)
    resident, worker = p.resident(PHONE), p.worker()

    def killed():
        p.end(signal.SIGKILL)

    case = resident.ask("/api/cases", {"cabinet": s.cabinet, "service": "residence-certificate"})["id"]
    door = resident.ask(f"/api/cases/{case}/open", {"at_door": True})["door"]
    killed()
    use_door(s, door, "papers")
    p.start()
    until(resident, case, "papers_in")
    resident.ask(f"/api/cases/{case}/confirm", {})
    killed()
    p.start()
    until(resident, case, "submitted")
    worker.ask(f"/api/work/{case}/open", {})
    killed()
    use_door(s, door)
    p.start()
    until(worker, case, "with_staff", "work")
    back = worker.ask(f"/api/work/{case}/open", {})["door"]
    use_door(s, back, "papers")
    until(worker, case, "returning", "work")
    worker.ask(f"/api/work/{case}/confirm", {})
    killed()
    p.start()
    until(resident, case, "ready")
    killed()
    p.start()
    assert [n["template"] for n in p.inbox(PHONE)].count("ready") == 1
    assert s.enter(resident.ask(f"/api/cases/{case}/code", {})["code"])["ok"]
    killed()
    use_door(s, back)
    p.start()
    until(resident, case, "done")


def test_from_enrolment_to_service(stand, portal):
    """What an administrator and an installer do: enrol on the page, provision and commission on the board, then it serves."""
    s = stand(doors=8, boards=1, cabinet="first")
    p = portal(s)
    admin = p.worker("9000")
    made = admin.ask("/api/admin/cabinets", {"id": "second", "name": "二号柜", "place": "南门", "help": "0917-2"})
    assert made["bundle"]["cabinet_key"] not in (p.folder / "portal.log").read_text()
    other = stand(doors=8, boards=1, cabinet="second", start=False)
    other.broker_uri = s.broker_uri
    other.mqtt_port = s.mqtt_port
    bundle = other.folder / "bundle.json"
    del made["bundle"]["broker"]["username"]  # the test's broker knows no accounts
    bundle.write_text(json.dumps(made["bundle"]))
    folder = other.folder / "etc"
    other.ctl("provision", bundle, "--folder", folder)
    again = other.ctl("provision", bundle, "--folder", folder, check=False)
    assert again.returncode == 2 and "nothing is overwritten" in again.stderr
    assert oct((folder / "keys" / "cabinet.key").stat().st_mode & 0o777) == "0o600"
    other.config = folder / "lockerd.toml"
    other.config.write_text(other.config.read_text().replace("/var/lib/lockerd", str(other.folder / "state")).replace("/run/lockerd", str(other.folder / "state")))
    sim = other.folder / "sim.toml"
    sim.write_text(sim.read_text().replace("[line]", "[people]\npush_after_ms = 900\n[line]"))
    other.start_sim()
    done = other.ctl("--json", "commission", "--config", other.config, "--device", other.device, "--unattended", "--doors", "8", "--last", "2", check=False, seconds=120)
    assert done.returncode == 0, done.stdout + done.stderr
    other.end_sim()
    sim.write_text(sim.read_text().replace("= 900", "= 2500"))  # people take their time
    other.start_sim()
    other.mqtt = other.listener()
    other.start_daemon()
    p.wait_online(cabinet="second")
    resident = p.resident(PHONE)
    case = resident.ask("/api/cases", {"cabinet": "second", "service": "residence-certificate"})["id"]
    assert resident.ask(f"/api/cases/{case}/open", {"at_door": True})["door"] >= 1
    until(resident, case, "papers_in")


def known_roster(p):
    with sqlite3.connect(f"file:{p.folder / 'portal.db'}?mode=ro", uri=True) as db:
        return db.execute("SELECT roster FROM cabinets").fetchone()[0]


def read_qr(s, svg):
    """By another decoder: drawn by rsvg or ImageMagick is not to be had everywhere, so the path itself is drawn."""
    side = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    grid = [[255] * side for _ in range(side)]
    for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg):
        for i in range(int(run)):
            grid[int(y)][int(x) + i] = 0
    scale = 6
    rows = [bytes(v for v in row for _ in range(scale)) for row in grid for _ in range(scale)]
    image = s.folder / "qr.pgm"
    image.write_bytes(f"P5 {side * scale} {side * scale} 255\n".encode() + b"".join(rows))
    return read_qr_image(image)


def test_strangers(stand, portal):
    s = stand()
    p = portal(s)
    stranger = Browser(p.origin)
    for path in ("/api/cases", "/api/inbox", "/api/work", "/api/admin/cabinets", "/api/me/export", "/api/cases/c-x"):
        with pytest.raises(Refused) as e:
            stranger.ask(path)
        assert e.value.status == 401
    with pytest.raises(Refused) as e:
        p.worker("4711").ask("/api/admin/staff")
    assert e.value.status == 403
