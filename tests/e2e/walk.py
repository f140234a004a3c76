"""A walk through pages in a browser: the node program tells what should happen outside, an object's methods make it happen."""
import json
import os
import pathlib
import shutil
import subprocess

from cabinet_kit import ROOT


def walk(script, stand, world, **given):
    """What the walk found; an AssertionError with its last words if it did not come to its end."""
    given = {"chromium": shutil.which("chromium"), "modules": str(ROOT / "portal" / "web"),
             "shots": os.environ.get("LOCKER_SHOTS") or str(stand.folder / "shots"), "cabinet": stand.cabinet, **given}
    with open(stand.folder / "walk.err", "w+b") as errors, subprocess.Popen(
            ["node", pathlib.Path(__file__).parent / "pages" / script, json.dumps(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=errors, text=True) as node:
        for line in node.stdout:
            asked = json.loads(line)
            if asked["do"] == "end":
                return asked
            node.stdin.write(json.dumps({"ok": True, **(getattr(world, asked["do"])(asked) or {})}) + "\n")
            node.stdin.flush()
        errors.seek(0)
        raise AssertionError(errors.read().decode()[-4000:])
