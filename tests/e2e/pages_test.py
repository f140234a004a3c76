"""The pages in a real browser against the real stack: both languages, light and dark, large type, the keyboard alone, the uplink cut."""
import portal_kit
from cabinet_kit import read_qr_image
from portal_kit import pages_weight
from walk import walk


class World:
    """What the story asks for outside its pages."""

    def __init__(self, stand, portal):
        self.stand, self.portal = stand, portal

    def cut(self, _):
        self.stand.broker.end()
        self.portal.wait_online(False)

    def mend(self, _):
        self.stand.start_broker()
        self.portal.wait_online()

    def read(self, asked):
        return {"text": read_qr_image(asked["image"])}

    def scan(self, asked):
        return self.stand.enter(read_qr_image(asked["image"]), via="scanner")

    def type(self, asked):
        return self.stand.enter(asked["text"])


def test_the_story_in_a_browser(stand, portal):
    s = stand(start=False)
    sim = s.folder / "sim.toml"
    sim.write_text(sim.read_text().replace("[line]", "[people]\npush_after_ms = 4000\n[line]"))  # somebody shuts each door
    s.start_broker()
    s.start_sim()
    s.mqtt = s.listener()
    s.start_daemon()
    p = portal(s)
    found = walk("story.mjs", s, World(s, p), origin=p.origin, staff=p.staff, password=portal_kit.PASSWORD)
    assert found["axe"] == []
    assert found["errors"] == []
    assert found["hosts"] == [f"127.0.0.1:{p.port}"]


def test_the_residents_pages_are_light(stand, portal):
    s = stand()
    assert pages_weight(portal(s))["bytes"] <= 60 * 1024
