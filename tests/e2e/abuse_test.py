"""What somebody who means ill may try at the portal's door: enumeration, replays, forged requests, floods, uploads of anything."""
import json
import socket

import pytest

from cabinet_kit import wait_for
from portal_kit import Browser, Refused, poll
from portal_test import PHONE, put_in, to_ready

OTHER = "+8613900139000"


def code_of(call):
    with pytest.raises(Refused) as e:
        call()
    return e.value.status, e.value.code


def test_phones_and_codes_are_not_to_be_guessed(stand, portal):
    p = portal(stand(), more="[limits]\ncodes_of_address = 20\n")
    b = Browser(p.origin)
    first = b.send("/api/sign-in/code", {"phone": PHONE})
    other = b.send("/api/sign-in/code", {"phone": OTHER})
    assert (first[0], sorted(json.loads(first[2]))) == (other[0], sorted(json.loads(other[2])))  # known or not: the same
    assert code_of(lambda: b.ask("/api/sign-in/code", {"phone": PHONE})) == (429, "too_many")
    right = p.inbox(PHONE)[0]["parameters"]["code"]
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(5):
        assert code_of(lambda: b.ask("/api/sign-in", {"phone": PHONE, "code": wrong})) == (403, "wrong_code")
    assert code_of(lambda: b.ask("/api/sign-in", {"phone": PHONE, "code": right})) == (403, "wrong_code")  # tried too often
    for phone in ("", "abc", "1' OR '1'='1", "13800138000\r\nX: y", None, 5, {}, "+86" * 100):
        assert code_of(lambda: b.ask("/api/sign-in/code", {"phone": phone}))[0] == 400
    # An address that asks for many phones is slowed, whoever they belong to.
    said = [b.send("/api/sign-in/code", {"phone": f"137{i:08}"})[0] for i in range(30)]
    assert said.count(429) >= 5


def test_staff_sign_in_is_slow_to_guess_and_replays_nothing(stand, portal):
    p = portal(stand())
    b = Browser(p.origin)
    code = p.totp_of("4711")
    right = {"number": "4711", "password": "a long password", "totp": code}
    assert code_of(lambda: b.ask("/api/staff/sign-in", {**right, "password": "another one"})) == (403, "wrong_code")
    assert b.ask("/api/staff/sign-in", right)["csrf"]
    assert code_of(lambda: b.ask("/api/staff/sign-in", right)) == (403, "wrong_code")  # each step once
    said = {code_of(lambda: b.ask("/api/staff/sign-in", {"number": "9000", "password": "x", "totp": f"{i:06}"}))[1] for i in range(14)}
    assert said == {"wrong_code", "too_many"}


def test_another_sites_page_can_do_nothing(stand, portal):
    s = stand()
    p = portal(s)
    resident = p.resident(PHONE)
    case = resident.ask("/api/cases", {"cabinet": s.cabinet, "service": "residence-certificate"})["id"]
    path, body = f"/api/cases/{case}/open", b'{"at_door":true}'
    ours = {"Origin": p.origin, "Content-Type": "application/json", "X-CSRF": resident.csrf}
    for change in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": p.origin + ".evil.example"}, {"Content-Type": "text/plain"},
                   {"Content-Type": "application/x-www-form-urlencoded"}, {"X-CSRF": ""}, {"X-CSRF": "x" * 43}):
        status, _, text = resident.send(path, body, headers={**ours, **change})
        assert status == 403, (change, text)
    other = p.resident(OTHER)
    assert resident.send(path, body, headers={**ours, "X-CSRF": other.csrf})[0] == 403
    assert not [d for d in s.ask_sim(do="status")["doors"] if d["openings"]]
    cookie = next(c for c in resident.cookies if c.name == "locker_resident")
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax"
    _, headers, _ = resident.send("/")
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"
    resident.ask("/api/sign-out", {})
    assert code_of(lambda: resident.ask("/api/cases"))[0] == 401


def test_cases_of_others_do_not_exist(stand, portal):
    s = stand()
    p = portal(s)
    resident, other, worker = p.resident(PHONE), p.resident(OTHER), p.worker()
    case, _ = to_ready(p, resident, worker)
    for what in ("open", "slip", "confirm", "cancel", "code", "revoke", "delegate"):
        assert code_of(lambda: other.ask(f"/api/cases/{case}/{what}", {"at_door": True}))[0] == 404, what
    for path in (f"/api/cases/{case}", f"/api/cases/{case}/live"):
        assert code_of(lambda: other.ask(path))[0] == 404
    for path in ("/api/work", f"/api/work/{case}", "/api/admin/audit"):
        assert code_of(lambda: resident.ask(path))[0] == 401  # a resident's cookie is no staff's
    codes = {resident.ask(f"/api/cases/{case}/code", {"another": True})["code"] for _ in range(8)}
    assert len(codes) <= 5
    text = (p.folder / "portal.log").read_text() + p.folder.joinpath("portal.db").read_bytes().decode("latin-1")
    wal = p.folder / "portal.db-wal"
    text += wal.read_bytes().decode("latin-1") if wal.exists() else ""
    for secret in (*codes, PHONE[3:], s.keys.joinpath("cabinet.key").read_text().strip(), resident.csrf):
        assert secret not in text, secret


def test_anything_is_uploaded(stand, portal):
    s = stand()
    p = portal(s)
    resident, admin = p.resident(PHONE), p.worker("9000")
    case, _ = put_in(p, resident)
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"{}" * 9, b'{"a":' * 50 + b"1" + b"}" * 50, bytes(range(256)), b'{"phone":"\xff\xfe"}', b'{"another":5,"size":[],"at_door":"yes"}'):
        for path in (f"/api/cases/{case}/open", f"/api/cases/{case}/delegate", "/api/cases"):
            status, _, text = resident.send(path, body)
            assert 400 <= status < 500 and json.loads(text)["error"]["code"], (path, body, status)
    try:
        assert resident.send("/api/cases", b"x" * 600_000)[0] == 413
    except OSError:
        pass  # hung up before all of it was sent
    for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../../portal.db", "/api/cases/%00", "/api/cases/..", "/%zz", "//", "/api/" + "x/" * 500):
        status, _, text = resident.send(path)
        assert status in (200, 400, 401, 404, 431) and b"root:" not in text and b"SQLite" not in text, path
    for toml in ("", "x = 1", "[[service]]\nid = \"<script>\"\nname = \"n\"", "\x00", "[[service]]\n" * 600, "a" * 400_000):
        assert code_of(lambda: admin.ask("/api/admin/catalogue", {"toml": toml}))[0] == 400
    for wish in ({"id": "a/b", "name": "n"}, {"id": s.cabinet, "name": "n"}, {"id": "x", "name": ""}, {"id": "+/#", "name": "n"}):
        assert code_of(lambda: admin.ask("/api/admin/cabinets", wish))[0] in (400, 409)
    assert resident.ask(f"/api/cases/{case}")["state"] == "papers_in"  # still there, still well


def raw(p, data, seconds=5):
    with socket.create_connection(("127.0.0.1", p.port), timeout=seconds) as c:
        c.sendall(data)
        try:
            return c.recv(4096)
        except (TimeoutError, ConnectionError):
            return b""


def test_what_is_no_http(stand, portal):
    p = portal(stand())
    for data in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /api/cases HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 40_000 + b"\r\n\r\n",
                 b"POST /api/cases HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", b"\x00" * 5000):
        answer = raw(p, data)
        assert not answer.startswith(b"HTTP/1.1 200"), data[:40]
    assert p.answers()


def test_pages_that_are_left_open_hold_no_more_than_their_share(stand, portal):
    p = portal(stand())
    resident = p.resident(PHONE)
    case = resident.ask("/api/cases", {"cabinet": p.stand.cabinet, "service": "residence-certificate"})["id"]
    cookie = "; ".join(f"{c.name}={c.value}" for c in resident.cookies)
    opened = []
    for _ in range(12):
        c = socket.create_connection(("127.0.0.1", p.port), timeout=10)
        c.sendall(f"GET /api/cases/{case}/live HTTP/1.1\r\nHost: 127.0.0.1:{p.port}\r\nCookie: {cookie}\r\n\r\n".encode())
        opened.append((c, c.recv(64)))
    assert [a.split()[1] for _, a in opened].count(b"200") == 8
    assert opened[-1][1].split()[1] == b"429"
    for c, _ in opened:
        c.close()


def test_floods_slow_the_one_who_floods(stand, portal):
    p = portal(stand())
    b = Browser(p.origin)
    said = [b.send(f"/api/cabinets/{p.stand.cabinet}")[0] for _ in range(600)]
    assert 429 in said and set(said) <= {200, 429}
    waiting = [socket.create_connection(("127.0.0.1", p.port)) for _ in range(190)]  # slow ones that say nothing
    poll(p.answers, 30, "an answer beside them")
    for c in waiting:
        c.close()
    wait_for(lambda: p.process.running(), 5, "the portal")
