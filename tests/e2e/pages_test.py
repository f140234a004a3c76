"""The pages in a real browser against the real stack: both languages, light and dark, large type, the keyboard alone, the uplink cut."""
import json
import os
import pathlib
import shutil
import subprocess

import portal_kit
from cabinet_kit import ROOT, read_qr_image
from portal_kit import pages_weight

SHOTS = os.environ.get("LOCKER_SHOTS")


class World:
    """What the story asks for outside its pages."""

    def __init__(self, stand, portal):
        self.stand, self.portal = stand, portal

    def cut(self, _):
        self.stand.broker.end()
        self.portal.wait_online(False)
        return {"ok": True}

    def mend(self, _):
        self.stand.start_broker()
        self.portal.wait_online()
        return {"ok": True}

    def read(self, asked):
        return {"ok": True, "text": read_qr_image(asked["image"])}

    def scan(self, asked):
        return self.stand.enter(read_qr_image(asked["image"]), via="scanner")

    def type(self, asked):
        return self.stand.enter(asked["text"])


def walk(s, p):
    given = {"origin": p.origin, "cabinet": s.cabinet, "staff": p.staff, "password": portal_kit.PASSWORD, "chromium": shutil.which("chromium"),
             "modules": str(ROOT / "portal" / "web"), "shots": SHOTS or str(s.folder / "shots")}
    world = World(s, p)
    with open(s.folder / "story.err", "w+b") as errors, subprocess.Popen(
            ["node", pathlib.Path(__file__).parent / "pages" / "story.mjs", json.dumps(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=errors, text=True) as node:
        for line in node.stdout:
            asked = json.loads(line)
            if asked["do"] == "end":
                return asked
            node.stdin.write(json.dumps(getattr(world, asked["do"])(asked)) + "\n")
            node.stdin.flush()
        errors.seek(0)
        raise AssertionError(errors.read().decode()[-4000:])


def test_the_story_in_a_browser(stand, portal):
    s = stand(start=False)
    sim = s.folder / "sim.toml"
    sim.write_text(sim.read_text().replace("[line]", "[people]\npush_after_ms = 4000\n[line]"))  # somebody shuts each door
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon()
    p = portal(s)
    found = walk(s, p)
    assert found["axe"] == []
    assert found["errors"] == []
    assert found["hosts"] == [f"127.0.0.1:{p.port}"]


def test_the_residents_pages_are_light(stand, portal):
    s = stand()
    assert pages_weight(portal(s))["bytes"] <= 60 * 1024
