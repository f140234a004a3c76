"""Notices through gateways that fail, answer late, and are told twice: a stand-in keeps what it was sent."""
import http.server
import json
import signal
import threading

import pytest

from portal_kit import poll
from portal_test import PHONE, to_ready


class Gateway:
    """Takes webhooks and SMS in the form of a large gateway; fails as often as it is told to."""

    def __init__(self):
        self.got, self.fail, self.lock = [], 0, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with outer.lock:
                    failing = outer.fail > 0
                    outer.fail -= 1 if failing else 0
                    if not failing:
                        outer.got.append((self.path, dict(self.headers), body))
                answer = b'{"Code":"OK"}'
                self.send_response(503 if failing else 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hooks(self):
        with self.lock:
            return [json.loads(body) for path, _, body in self.got if path == "/hook"]


@pytest.fixture
def gateway():
    g = Gateway()
    yield g
    g.server.shutdown()
    g.server.server_close()


def test_nothing_is_lost_and_nothing_told_twice(stand, portal, gateway):
    s = stand()
    folder = s.folder / "portal"
    folder.mkdir()
    (folder / "sms.secret").touch(0o600)
    (folder / "sms.secret").write_text("gateway secret\n")
    p = portal(s, notices='residents = ["inbox", "sms", "hook"]\nstaff = ["inbox"]\nteam = ["hook"]\n', more=f'''
[[channel]]
name = "sms"
kind = "sms-aliyun"
url = "{gateway.url}/sms"
account = "key-id"
secret_file = "sms.secret"
sign_name = "云柜"
template_sign_in = "SMS_1"
template_ready = "SMS_2"

[[channel]]
name = "hook"
kind = "webhook"
url = "{gateway.url}/hook"
''')
    gateway.fail = 4
    resident, worker = p.resident(PHONE), p.worker()
    case, door = to_ready(p, resident, worker)
    gateway.fail = 3
    p.end(signal.SIGKILL)  # in the middle of sending, maybe
    p.start()
    poll(lambda: any(h["template"] == "ready" for h in gateway.hooks()), 40, "the notice")
    hooks = gateway.hooks()
    by_id = {}
    for h in hooks:
        by_id.setdefault(h["id"], []).append(h)
    told = [(h[0]["recipient"], h[0]["template"]) for h in by_id.values()]
    assert len(told) == len(set(told))  # a repetition has the same id: whoever takes it can tell
    assert ("team", "new_case") in told and told.count(("team", "new_case")) == 1
    assert [t for _, t in told].count("ready") == 1
    ids = [int(h["id"].split("-")[1]) for h in hooks]
    assert ids == sorted(ids)  # in order
    sms = poll(lambda: [body for path, _, body in gateway.got if path == "/sms" and "TemplateCode=SMS_2" in body], 40, "the SMS")
    assert len(set(sms)) == 1 and f"PhoneNumbers={PHONE[3:]}" in sms[0] and "gateway" not in sms[0]
