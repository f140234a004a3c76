"""The demo behind scripts/demo: a broker, a simulated cabinet and lockerd; with --story, the main job from end to end."""
import argparse
import json
import pathlib
import signal
import subprocess
import sys
import threading

DESCRIPTION = """Stands a whole cabinet up on loopback: Mosquitto, a simulated cabinet (12 doors, two relay boards on one
RS-485 line), lockerd and the portal. Without --story it stays up until Ctrl-C and prints one address to open."""

STORY = ["deposit.reserved", "opening.authorised", "opening.opened", "opening.closed", "deposit.deposited",
         "deposit.confirmed", "opening.authorised", "opening.opened", "opening.closed", "deposit.retrieved"]


def arguments():
    p = argparse.ArgumentParser(prog="scripts/demo", description=DESCRIPTION)
    p.add_argument("--story", action="store_true", help="play the main job, print each event in words, exit 0 only if "
                   "each step happened")
    p.add_argument("--transport", choices=["rtu", "tcp"], default="rtu", help="Modbus RTU on a pseudo-terminal, or TCP")
    p.add_argument("--mqtt", choices=["5", "3.1.1"], default="5", help="MQTT version")
    p.add_argument("--doors", type=int, default=12, choices=range(1, 129), metavar="1..128",
                   help="number of doors (default 12)")
    p.add_argument("--folder", help="where configuration, keys, sockets and the ledger are kept (default: a temporary "
                   "folder that goes at the end)")
    p.add_argument("--json", action="store_true", help="print where everything is as one line of JSON, for scripts")
    return p.parse_args()


def words(event):
    """An event in words that a newcomer understands."""
    data = event["data"]
    door = data.get("compartment")
    who = "a one-time code" if data.get("by") == "code" else "a signed grant"
    deposit = data.get("deposit")
    said = {
        "daemon.started": "The controller is up.",
        "deposit.reserved": f"Compartment {door} is reserved for {deposit}.",
        "opening.authorised": f"Authority for door {door} by {who}: checked, and on disk before anything moves.",
        "opening.opened": f"Door {door} is open: its contact says so.",
        "opening.closed": f"Door {door} is shut again after {data.get('open_ms', 0) / 1000:.1f} s.",
        "deposit.deposited": f"{deposit} lies in compartment {door}.",
        "deposit.confirmed": f"{deposit} is confirmed: somebody tapped \"documents deposited\".",
        "deposit.retrieved": f"{deposit} was taken out of compartment {door}.",
    }
    type = event["type"].removeprefix("locker.")
    return said.get(type, json.dumps(data))


class Teller:
    """Prints each event as it arrives."""

    def __init__(self, listener):
        self.listener = listener
        self.told = 0
        self.stop = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            with self.listener.condition:
                self.listener.condition.wait_for(lambda: self.stop or self.told + 1 in self.listener.events, 1)
                event = self.listener.events.get(self.told + 1)
            if event:
                type = event["type"].removeprefix("locker.")
                print(f"   {event['time'][11:23]}  {type:<20} {words(event)}", flush=True)
                with self.listener.condition:
                    self.told += 1
                    self.listener.condition.notify_all()
            elif self.stop:
                return

    def catch_up(self):
        with self.listener.condition:
            self.listener.condition.wait_for(lambda: self.told >= max(self.listener.events, default=0), 5)

    def end(self):
        self.stop = True
        self.thread.join(5)




def must(reply):
    if not reply["ok"]:
        raise RuntimeError(f"refused: {reply['error']['code']}: {reply['error']['message']}")
    return reply["result"]


def story(s):
    teller = Teller(s.mqtt)

    def step(text):
        teller.catch_up()
        print(f"\n{text}", flush=True)

    try:
        step("1. A resident shows a signed grant at the phone. A door opens; the papers go in; the door is shut.")
        n = s.put_in("intake-1", "intake", case="case-1", content="identity card")
        step("2. \"Documents deposited\", taps the resident.")
        must(s.mqtt.command("confirm", {"deposit": "intake-1"}))
        s.mqtt.event("deposit.confirmed", deposit="intake-1")
        step(f"3. Staff open door {n} with a grant of their own and take the papers.")
        must(s.open("collect", deposit="intake-1"))
        if s.take_out("intake-1", n) != "identity card":
            raise RuntimeError("the papers were not where they should be")
        step("4. The business is done. Staff put the papers into a compartment for their owner, and confirm.")
        m = s.put_in("return-1", "return", case="case-1", content="identity card")
        must(s.mqtt.command("confirm", {"deposit": "return-1"}))
        s.mqtt.event("deposit.confirmed", deposit="return-1")
        code = s.code("return-1")
        step(f"5. The resident's phone shows the code {code}. Typed at the keypad, it opens door {m}, once.")
        must(s.enter(code))
        if s.take_out("return-1", m) != "identity card":
            raise RuntimeError("the papers were not where they should be")
        step("6. The same events once more, as the ledger has them: each hash covers the one before.")
        head = int(must(s.mqtt.command("snapshot"))["sequence"])
        s.mqtt.wait(lambda: len(s.mqtt.events) >= head, what=f"all {head} events")
        if s.mqtt.types() != ["daemon.started", *STORY, *STORY]:
            raise RuntimeError("the events are not the story's: " + " ".join(s.mqtt.types()))
        if sorted(s.mqtt.events) != list(range(1, head + 1)):
            raise RuntimeError("an event is missing")
        print("   " + s.ctl("log", "verify"))
        step(f"The story is complete: {head} events, none missing, none out of order.")
    finally:
        teller.end()


def env_of(s):
    """What a terminal sources to speak with this cabinet."""
    env = s.folder / "env"
    env.write_text(f'export PATH="{s.bin}:$PATH" LOCKERCTL_SOCKET="{s.socket}" LOCKERSIM_SOCKET="{s.sim_socket}" '
                   f'KEYS="{s.keys}" CABINET="{s.cabinet}" MQTT="-h 127.0.0.1 -p {s.mqtt_port}" ROOT="{s.mqtt.root}"\n')
    return env


def places(s):
    device = str(s.device) if s.transport == "rtu" else f"127.0.0.1:{s.modbus_port}"
    return {
        "cabinet": s.cabinet, "doors": s.doors, "folder": str(s.folder), "env": str(env_of(s)), "bin": str(s.bin), "config": str(s.config),
        "mqtt": {"host": "127.0.0.1", "port": s.mqtt_port, "version": "5" if s.mqtt_version == 5 else "3.1.1"},
        "topic_root": s.mqtt.root, "line": device, "lockerctl_socket": str(s.socket), "lockersim_socket": str(s.sim_socket),
        "cabinet_key": str(s.keys / "cabinet.key"), "issuer_key": str(s.keys / "issuer.jwk"),
        "database": str(s.folder / "state" / "locker.db"),
        "pids": {"lockerd": s.daemon.popen.pid, "lockersim": s.sim.popen.pid, "mosquitto": s.broker.popen.pid},
    }


def guide(s, page):
    p = places(s)
    return f"""
A cabinet of {s.doors} doors and a portal are up. Open this page: resident, grid worker, administrator, and the doors to click.

    {page.url}

{qr(page.url)}
The fleet's dashboard: {page.portal.origin}/ops/
Broker: 127.0.0.1:{s.mqtt_port}. Line: {p['line']}. Everything is in {s.folder}

In another terminal:

    . {p['env']}
    lockerctl status                                     # every compartment
    mosquitto_sub $MQTT -t "$ROOT/event/#" -v            # what the broker hears

    # papers in: a grant as a QR code would carry it, shown at the cabinet's scanner
    lockerctl enter --via scanner "$(lockerctl mint grant --key $KEYS/issuer.jwk --cabinet $CABINET \\
        --act deposit --deposit my-1 --kind return)"
    lockersim put 1 "passport"; sleep 2; lockersim push 1; sleep 2    # a closing counts after a second of rest

    # papers out: the code a phone would show, typed at the keypad
    lockerctl enter "$(lockerctl mint code --key $KEYS/cabinet.key --deposit my-1)"
    lockersim take 1; sleep 2; lockersim push 1

    # break something: lockersim fault --help
    lockersim fault jam --door 2
    lockerctl log verify

Ctrl-C ends it.
"""


def qr(url):
    done = subprocess.run(["qrencode", "-t", "ANSIUTF8", "-m", "1", url], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 and sys.stdout.isatty() else ""


def wait_for_the_end():
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()  # whoever ends one of the parts to see what happens finds the others going on


def main():
    a = arguments()
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    from cabinet_kit import Stand  # only now: --help works before anything is installed
    if a.folder and (pathlib.Path(a.folder) / "state").exists():
        print(f"demo: {a.folder} holds a cabinet already; name another folder", file=sys.stderr)
        return 64
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    with Stand(folder=a.folder, transport=a.transport, mqtt_version=5 if a.mqtt == "5" else 4, doors=a.doors) as s:
        if a.story:
            print(f"A cabinet of {s.doors} doors: real broker, real Modbus frames, real ledger; only the cabinet is simulated.")
            try:
                story(s)
            except (RuntimeError, TimeoutError) as e:
                print(f"\nThe story stopped: {e}\n\nlockerd's last words:\n{s.daemon.text()[-2000:]}", file=sys.stderr)
                return 1
            return 0
        from demo_page import DemoPage
        from portal_kit import Portal, totp
        portal = Portal(s)
        page = DemoPage(s, portal, totp)
        try:
            where = {"demo_page": page.url, "portal": portal.origin, "dashboard": portal.origin + "/ops/", "portal_staff": portal.staff}
            print(json.dumps({**places(s), **where}) if a.json else guide(s, page), flush=True)
            wait_for_the_end()
        finally:
            page.close()
            portal.end()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
