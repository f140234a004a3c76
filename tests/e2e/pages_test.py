"""The pages in a real browser against the real stack: both languages, light and dark, large type, the keyboard alone."""
import json
import os
import pathlib
import shutil
import subprocess

import portal_kit
from cabinet_kit import ROOT

SHOTS = os.environ.get("LOCKER_SHOTS")


def walk(s, p, only=""):
    given = {"origin": p.origin, "cabinet": s.cabinet, "staff": p.staff, "password": portal_kit.PASSWORD, "chromium": shutil.which("chromium"),
             "modules": str(ROOT / "portal" / "web"), "shots": SHOTS or str(s.folder / "shots"), "only": only}
    done = subprocess.run(["node", pathlib.Path(__file__).parent / "pages" / "story.mjs", json.dumps(given)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)


def test_the_story_in_a_browser(stand, portal):
    s = stand(start=False)
    sim = s.folder / "sim.toml"
    sim.write_text(sim.read_text().replace("[line]", "[people]\npush_after_ms = 2500\n[line]"))  # somebody shuts each door
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon()
    p = portal(s)
    found = walk(s, p)
    assert found["axe"] == []
    assert found["errors"] == []
    assert found["hosts"] == [f"127.0.0.1:{p.port}"]
    assert found["bytes"] <= 60 * 1024
