"""The dashboard in a real browser against a real cabinet, broker and portal, by an account that may only read."""
import json

import paho.mqtt.client as mqtt

from cabinet_kit import wait_for
from walk import walk

ACCOUNT = ("dashboard", "a password for the wall")


class World:
    """What happens outside the dashboard."""

    def __init__(self, stand, portal):
        self.stand, self.portal = stand, portal

    def force(self, asked):
        self.stand.ask_sim(do="pull", door=asked["door"])

    def shut(self, asked):
        wait_for(lambda: self.stand.door(asked["door"])["open"], what="the door open")
        self.stand.push(asked["door"])

    def sign_in(self, asked):
        browser = self.portal.worker("4711" if asked.get("second") else "9000")
        return {"cookie": next({"name": c.name, "value": c.value} for c in browser.cookies)}

    def cut(self, _):
        self.stand.broker.end()

    def mend(self, _):
        self.stand.start_broker()
        self.portal.wait_online()

    def off(self, _):
        self.stand.daemon.end()


def test_the_dashboard_in_a_browser(stand, portal):
    s = stand(start=False, dashboard=ACCOUNT)
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon()
    p = portal(s, start=False)
    p.ctl("enrol", "never-1", "--name", "从未上线的柜子", "--place", "南门")
    p.start()
    s.put_in("papers")  # so that there is something to count
    found = walk("dashboard.mjs", s, World(s, p), origin=p.origin, account=ACCOUNT, alone=f"http://127.0.0.1:{s.ws_port}")
    assert found["axe"] == [], "\n".join(found["axe"])
    assert found["errors"] == []
    assert found["hosts"] == sorted([f"127.0.0.1:{p.port}", f"127.0.0.1:{s.ws_port}"])


def test_the_read_only_account_reads_no_grant_and_opens_nothing(stand):
    s = stand(dashboard=ACCOUNT)
    heard = []
    c = mqtt.Client(client_id="wall", transport="websockets")
    c.username_pw_set(*ACCOUNT)
    c.on_message = lambda _c, _u, m: heard.append(m.topic)
    c.on_connect = lambda client, *_: client.subscribe("locker/v1/#", 1)
    c.connect("127.0.0.1", s.ws_port)
    c.loop_start()
    wait_for(lambda: f"{s.mqtt.root}/status" in heard, what="status")
    c.publish(f"{s.mqtt.root}/command/snapshot", json.dumps({"id": "wall-1", "expires_at": "2099-01-01T00:00:00Z", "reply_to": f"{s.mqtt.root}/reply/wall", "args": {}}), 1)
    assert s.open("open", compartment=2)["ok"]
    s.shut_after_a_while(2)
    s.mqtt.event("opening.closed", compartment=2)
    wait_for(lambda: any("/event/opening.closed" in t for t in heard), what="the event")
    assert not [t for t in heard if "/command/" in t or "/reply/" in t]
    assert "wall-1" not in s.mqtt.replies
    c.disconnect()
    c.loop_stop()
