"""Home Assistant's discovery: its document fits the integration's schema, its templates say what the cabinet says, and it goes as it came."""
import json
import subprocess

import jinja2
import jsonschema
import paho.mqtt.client as mqtt
import pytest

from cabinet_kit import ROOT, wait_for

SCHEMA = json.loads((ROOT / "tests" / "fixtures" / "home_assistant_device.schema.json").read_text())
ALARMS = {"forced", "held_open", "jammed", "suspected", "worn", "board_lost", "lockout", "guessing", "clock_untrusted", "storage", "ledger",
          "overdue", "tamper", "mains"}
CONFIG = "homeassistant/device/locker-demo-1/config"
ON = "\n[home_assistant]\ndiscovery = true\n"


class Home:
    """Looks at the cabinet as Home Assistant does: through the document's topics and templates alone."""

    def __init__(self, s):
        self.s = s
        self.jinja = jinja2.Environment(undefined=jinja2.StrictUndefined)
        self.seen = {}  # topic -> payload, "" when it was emptied
        self.documents = 0
        self.client = mqtt.Client(client_id="home-assistant")
        self.client.on_connect = lambda client, *_: client.subscribe([("locker/v1/#", 1), ("homeassistant/#", 1)])
        self.client.on_message = self._heard
        self.client.connect("127.0.0.1", s.mqtt_port)
        self.client.loop_start()

    def _heard(self, _client, _user, m):
        self.seen[m.topic] = m.payload.decode()
        self.documents += m.topic == CONFIG and m.payload != b""

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def document(self):
        return json.loads(wait_for(lambda: self.seen.get(CONFIG), what="the discovery document"))

    def render(self, template, payload):
        return self.jinja.from_string(template).render(value=payload, value_json=json.loads(payload))

    def state(self, key):
        """None: Home Assistant knows nothing of it yet."""
        c = self.document()["components"][key]
        for a in c.get("availability", []):
            said = self.seen.get(a["topic"])
            if not said or self.render(a.get("value_template", "{{ value }}"), said) != a.get("payload_available", "online"):
                return "unavailable"
        payload = self.seen.get(c["state_topic"])
        return self.render(c["value_template"], payload) if payload else None

    def wait(self, key, state):
        return wait_for(lambda: self.state(key) == state, what=f"{key} = {state}, is {self.state(key)}")


@pytest.fixture
def homes(stand):
    made = []

    def make(**options):
        s = stand(start=False, more=ON, **options)
        s.start_broker()
        s.start_sim()
        s.mqtt = s.listener()
        made.append(Home(s))
        s.start_daemon()
        wait_for(lambda: "locker/v1/demo-1/metrics" in made[-1].seen, what="metrics")
        return made[-1]

    yield make
    for home in made:
        home.close()


@pytest.fixture
def home(homes):
    return homes()


def test_the_document_is_what_the_integration_accepts_and_every_template_says_something(home):
    document = home.document()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    ids = [c["unique_id"] for c in document["components"].values()]
    assert len(ids) == len(set(ids))
    assert {k.removeprefix("alarm_") for k in document["components"] if k.startswith("alarm_")} == ALARMS
    assert sum(k.startswith("door_") for k in document["components"]) == 12
    for key, c in document["components"].items():
        wait_for(lambda: home.state(key) not in (None, "unavailable"), what=key)
        state = home.state(key)
        assert state not in (None, "", "unavailable"), key
        if c["platform"] == "binary_sensor":
            assert state in ("ON", "OFF"), (key, state)
        if "options" in c:
            assert state in c["options"], (key, state)
        if c.get("state_class"):
            assert state == "None" or float(state) >= 0, (key, state)
    words = json.dumps(document)
    assert "command_topic" not in words  # nothing opens from there


def test_doors_alarms_and_availability_follow_the_cabinet(home):
    s = home.s
    home.wait("door_3", "OFF")
    quiet = int(home.state("alarms"))
    s.ask_sim(do="pull", door=3)
    home.wait("door_3", "ON")
    home.wait("alarm_forced", "ON")
    assert home.state("alarms") == str(quiet + 2)
    assert home.state("alarm_suspected") == "ON" and home.state("alarm_storage") == "OFF"
    s.push(3)
    home.wait("door_3", "OFF")
    s.fault("silent", board=1)
    home.wait("door_3", "unavailable")
    home.wait("alarm_board_lost", "ON")
    assert home.state("use_3") != "unavailable" and home.state("door_12") == "OFF"
    s.daemon.end()
    home.wait("use_3", "unavailable")
    assert home.state("online") == "OFF"


def test_published_again_when_home_assistant_starts(home):
    home.document()
    before = home.documents
    home.client.publish("homeassistant/status", "online", 1)
    wait_for(lambda: home.documents == before + 1, what="the document again")


def test_a_door_less_is_named_without_content_and_forgotten_by_all_who_look(homes):
    home = homes(doors=64)  # a document longer than any message that lockerd itself would take
    s = home.s
    assert len(json.dumps(home.document())) > 64 * 1024
    wait_for(lambda: home.seen.get("locker/v1/demo-1/compartment/64"), what="door 64")
    s.daemon.end()
    text = s.config.read_text()
    last = text.index("\n[[compartment]]\nnumber = 64\n")
    s.config.write_text(text[:last] + text[text.index(ON, last):])
    s.doors = 63
    for again in range(2):  # and it stays so
        home.seen.pop(CONFIG, None)
        s.start_daemon()
        wait_for(lambda: home.document()["components"].get("door_64") == {"platform": "binary_sensor"}, what=f"door 64 dropped {again}")
        assert home.document()["components"]["use_64"] == {"platform": "sensor"} and "unique_id" in home.document()["components"]["door_63"]
        wait_for(lambda: home.seen["locker/v1/demo-1/compartment/64"] == "", what="door 64 forgotten")
        jsonschema.Draft202012Validator(SCHEMA).validate(home.document())
        assert s.daemon.end() == 0
    assert s.ctl("retire", "--config", s.config, check=False).returncode == 0


def test_a_cabinet_that_is_taken_away_leaves_nothing_on_the_broker(home):
    s = home.s
    home.document()
    door = s.put_in("papers")
    code = s.ctl("retire", "--config", s.config, check=False)
    assert code.returncode == 2 and "is held by" in code.stderr  # lockerd runs
    s.fault("silent", board=1)
    home.wait("alarm_board_lost", "ON")
    assert s.daemon.end() == 0
    code = s.ctl("retire", "--config", s.config, check=False)
    assert code.returncode == 1 and "papers lie behind door" in code.stderr
    assert "suspected" in s.ctl("retire", "--help")
    assert home.document()["components"]
    # Papers out, a clean stop: nothing speaks against it, though the last events' acknowledgement was never stored.
    s.fault("silent", on=False, board=1)
    s.start_daemon()
    home.wait("alarm_board_lost", "OFF")
    assert s.enter(s.code("papers"))["ok"]
    s.take_out("papers", door)
    s.fault("silent", board=1)
    home.wait("alarm_board_lost", "ON")
    assert s.daemon.end() == 0
    done = json.loads(s.ctl("--json", "retire", "--config", s.config))
    assert s.mqtt.events[max(s.mqtt.events)]["type"] == "locker.daemon.stopping"
    assert done["ok"] and done["topics"] >= 12 + 3 + 1
    left = subprocess.run(["mosquitto_sub", "-p", str(s.mqtt_port), "-t", "#", "--retained-only", "-W", "2", "-v"], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def test_switched_off_it_goes_and_never_asked_for_it_is_silent(home):
    s = home.s
    home.document()
    s.daemon.end()
    s.config.write_text(s.config.read_text().replace("discovery = true", "discovery = false"))
    s.start_daemon()
    wait_for(lambda: home.seen.get(CONFIG) == "", what="the document gone")
    s.daemon.end()
    s.config.write_text(s.config.read_text().replace(ON.replace("true", "false"), ""))
    home.client.publish(CONFIG, "{}", 1, retain=True).wait_for_publish(10)  # of somebody else, say
    s.start_daemon()
    s.put_in("papers")
    assert home.seen[CONFIG] == "{}"
