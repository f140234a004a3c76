"""The demo as a newcomer meets it. Building is scripts/demo's part and not repeated here."""
import json
import os
import signal
import subprocess
import sys

from cabinet_kit import ROOT

DEMO = [sys.executable, str(ROOT / "scripts" / "demo_cabinet.py")]


def test_story():
    done = subprocess.run([*DEMO, "--story"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("deposit.reserved", "deposit.deposited", "deposit.confirmed", "deposit.retrieved", "The story is complete"):
        assert word in done.stdout
    lines = done.stdout.splitlines()
    events = [line for line in lines if line.startswith("   ") and "chain holds" not in line]
    assert len(events) == 21, done.stdout


def test_story_stops_when_a_step_does_not_happen(tmp_path):
    """A cabinet without doors enough for the story: it says so, and does not exit 0."""
    done = subprocess.run([*DEMO, "--story", "--doors", "1"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "The story stopped" in done.stderr


def test_stays_up_until_it_is_ended(tmp_path):
    demo = subprocess.Popen([*DEMO, "--json", "--folder", str(tmp_path / "cabinet")], stdout=subprocess.PIPE, text=True)
    try:
        where = json.loads(demo.stdout.readline())
        env = {**os.environ, "LOCKERCTL_SOCKET": where["lockerctl_socket"]}
        status = subprocess.run([where["bin"] + "/lockerctl", "--json", "status"], env=env, capture_output=True, text=True)
        assert len(json.loads(status.stdout)["compartments"]) == 12
    finally:
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0
    for pid in where["pids"].values():
        assert not os.path.exists(f"/proc/{pid}")
    again = subprocess.run([*DEMO, "--folder", str(tmp_path / "cabinet")], capture_output=True, text=True)
    assert again.returncode == 64 and "another folder" in again.stderr
