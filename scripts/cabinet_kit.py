"""A whole cabinet on loopback: a real Mosquitto, the simulated cabinet, lockerd. Used by scripts/demo and the
end-to-end tests; it holds no logic of the product."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone

import paho.mqtt.client as mqtt

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESET = os.environ.get("LOCKER_PRESET", "release")
BIN = ROOT / "build" / PRESET / "bin"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=20, what="the condition"):
    """Waits until `condition` gives something true; polls, with a deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds} s")
        time.sleep(0.01)


def rfc3339(when):
    return when.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_qr_image(image):
    """What another's decoder reads in a picture."""
    return subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", image], capture_output=True, text=True, check=True).stdout.strip()


class Process:
    """A program we started: ended by its own id, its output in a file."""

    def __init__(self, args, log, **kwargs):
        self.log = pathlib.Path(log)
        self.out = open(self.log, "ab")
        # It ends with us, however we end.
        args = ["setpriv", "--pdeathsig", "TERM", *args]
        self.popen = subprocess.Popen([str(a) for a in args], stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL, **kwargs)

    def running(self):
        return self.popen.poll() is None

    def end(self, how=signal.SIGTERM, seconds=15):
        if self.running():
            self.popen.send_signal(how)
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            code = self.popen.wait(5)
        self.out.close()
        return code

    def text(self):
        return self.log.read_text(errors="replace")


class Listener:
    """An MQTT client of another author: collects all the cabinet says, sends commands, gives their replies."""

    def __init__(self, port, cabinet, version=5, extra_topics=()):
        self.cabinet = cabinet
        self.root = f"locker/v1/{cabinet}"
        self.version = version
        self.messages = []  # (topic, payload bytes, retained), in order
        self.retained = {}
        self.events = {}    # sequence -> event
        self.arrived = []   # sequences in order of arrival, duplicates included
        self.replies = {}
        self.condition = threading.Condition()
        self.reply_name = "kit-" + uuid.uuid4().hex[:8]
        self.connected = threading.Event()
        self.extra_topics = extra_topics
        protocol = mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311
        self.client = mqtt.Client(client_id="kit-" + uuid.uuid4().hex[:12], protocol=protocol)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port, keepalive=10)
        self.client.loop_start()

    def _on_connect(self, client, *_):
        client.subscribe([(self.root + "/#", 1), *[(t, 1) for t in self.extra_topics]])
        self.connected.set()

    def _on_message(self, _client, _user, m):
        with self.condition:
            self.messages.append((m.topic, m.payload, m.retain))
            sub = m.topic[len(self.root) + 1:]
            if sub.startswith("event/"):
                event = json.loads(m.payload)
                self.arrived.append(int(event["sequence"]))
                self.events[int(event["sequence"])] = event
            elif sub.startswith("reply/"):
                reply = json.loads(m.payload)
                self.replies[reply["id"]] = reply
            elif not sub.startswith("command/"):
                self.retained[sub] = json.loads(m.payload) if m.payload else None
            self.condition.notify_all()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def wait(self, condition, seconds=20, what="the message"):
        with self.condition:
            if not self.condition.wait_for(condition, seconds):
                raise TimeoutError(f"{what} did not come within {seconds} s")
            return condition()

    def state(self, sub):
        return self.retained.get(sub)

    def epoch(self):
        return self.wait(lambda: (self.state("status") or {}).get("epoch"), what="status")

    def raw(self, name, payload, retain=False, qos=1, properties=None):
        info = self.client.publish(f"{self.root}/command/{name}", payload, qos=qos, retain=retain, properties=properties)
        info.wait_for_publish(10)

    def send(self, name, args=None, grant=None, id=None, seconds_valid=30, **more):
        message = {
            "id": id or uuid.uuid4().hex,
            "expires_at": rfc3339(datetime.now(timezone.utc) + timedelta(seconds=seconds_valid)),
            "reply_to": f"{self.root}/reply/{self.reply_name}",
            "args": args or {},
            **more,
        }
        if grant is not None:
            message["grant"] = grant
        self.replies.pop(message["id"], None)
        self.raw(name, json.dumps(message))
        return message["id"]

    def command(self, name, args=None, grant=None, seconds=12, **more):
        id = self.send(name, args, grant, **more)
        return self.wait(lambda: self.replies.get(id), seconds, f"the reply to {name}")

    def types(self):
        with self.condition:
            return [self.events[s]["type"].removeprefix("locker.") for s in sorted(self.events)]

    def event(self, type, after=0, seconds=20, **data):
        """The first event of a type, after a sequence, whose data holds what is asked."""
        def find():
            for s in sorted(self.events):
                e = self.events[s]
                if s > after and e["type"] == "locker." + type and all(e["data"].get(k) == v for k, v in data.items()):
                    return e
            return None
        return self.wait(find, seconds, f"event {type} {data}")

    def head(self):
        with self.condition:
            return max(self.events, default=0)


class Terminal:
    """One connection to the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile()

    def enter(self, text, via="keypad"):
        self.socket.sendall(json.dumps({"do": "enter", "via": via, "text": text}).encode() + b"\n")
        return json.loads(self.lines.readline())

    def close(self):
        self.lines.close()
        self.socket.close()


class Stand:
    """Broker, simulated cabinet and lockerd in one folder, on free ports of loopback."""

    def __init__(self, folder=None, transport="rtu", mqtt_version=5, doors=12, boards=None, cabinet="demo-1", policy="",
                 contact="door", baud=9600, channels=8, turnaround_us=3000, bounce_ms=20, board=("waveshare-8ch-d", "waveshare"), lock="",
                 keep=False, verify=True, clock_battery=True, wrapper=(), lockerd=BIN / "lockerd", more="", start=True, dashboard=None):
        self.keep = keep or folder is not None
        self.dashboard = dashboard  # (account, password); else whoever comes by WebSocket may read
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="cloud-locker-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.transport, self.mqtt_version, self.doors, self.cabinet = transport, mqtt_version, doors, cabinet
        self.policy, self.contact, self.baud, self.verify, self.clock_battery = policy, contact, baud, verify, clock_battery
        self.channels, self.turnaround_us, self.bounce_ms = channels, turnaround_us, bounce_ms
        self.profile, self.board_kind = board  # lockerd's name of the board, lockersim's
        self.lock = lock
        self.metrics_every_s = 5
        self.more = more  # of the configuration: inputs, outputs, sensors
        self.wrapper = list(wrapper)  # what lockerd runs under
        self.lockerd = lockerd
        self.more_keys = self.clock = ""
        self.boards = boards or -(-doors // channels)
        self.mqtt_port = free_port()
        self.ws_port = free_port()  # of browsers: the dashboard
        self.modbus_port = free_port()
        self.device = self.folder / "line.tty"
        self.sim_socket = self.folder / "sim.sock"
        self.socket = self.folder / "state" / "control.sock"
        self.keys = self.folder / "keys"
        self.bin = BIN
        self.config = self.folder / "lockerd.toml"
        self.broker = self.sim = self.daemon = self.mqtt = None
        if not self.keys.exists():
            self.ctl("mint", "keys", self.keys)
        self.write_config()
        if start:
            try:
                self.start_broker()
                self.start_sim()
                self.mqtt = self.listener()
                self.start_daemon()
            except BaseException:
                self.close()
                raise

    def listener(self, **kwargs):
        listener = Listener(self.mqtt_port, self.cabinet, self.mqtt_version, **kwargs)
        if not listener.connected.wait(10):
            raise TimeoutError("the broker does not answer")
        return listener

    # ---- parts

    def wiring(self):
        """(number, board index, channel) of each door: spread over the boards."""
        per_board = (self.doors + self.boards - 1) // self.boards
        return [(n + 1, n // per_board, n % per_board + 1) for n in range(self.doors)]

    def write_config(self):
        line = f'device = "{self.device}"\nbaud = {self.baud}' if self.transport == "rtu" else f'tcp = "127.0.0.1:{self.modbus_port}"'
        text = f'''[cabinet]
id = "{self.cabinet}"
name = "Demo cabinet"
place = "On this machine"
help = "0917-000000"

[state]
folder = "state"

[keys]
cabinet = "keys/cabinet.key"
issuers = "keys/issuers.json"
root = "keys/root.json"
{self.more_keys}
[mqtt]
uri = "{self.broker_uri()}"
version = "{'5' if self.mqtt_version == 5 else '3.1.1'}"
verify = {str(self.verify).lower()}
metrics_every_s = {self.metrics_every_s}

[clock]
battery_backed = {str(self.clock_battery).lower()}
{self.clock}

[policy]
{self.policy}

[lock]
{self.lock}

[[bus]]
name = "line1"
{line}
'''
        profile = self.profile if self.channels == 8 else f"wide-{self.channels}"
        if self.channels != 8:
            text += f'\n[profiles]\nfolder = "{self.profiles()}"\n'
        for i in range(self.boards):
            text += f'\n[[board]]\nname = "{chr(65 + i)}"\nbus = "line1"\naddress = {i + 1}\nprofile = "{profile}"\n'
        sizes = ["S", "S", "S", "M", "M", "L"]
        for number, board, channel in self.wiring():
            name = chr(65 + board)
            size = sizes[(number - 1) % len(sizes)]
            contact = f'contact = "{self.contact}"\n'
            # Wide boards stand for measuring: each lock on a supply of its own, so that no pulse waits for another.
            supply = f"supply = {(number - 1) % 64 + 1}\n" if self.channels != 8 else ""
            if self.contact != "none":
                contact += f'input = {{ board = "{name}", channel = {channel} }}\nclosed = "on"\n'
            text += (f'\n[[compartment]]\nnumber = {number}\nsize = "{size}"\naccessible = {str(number == 2).lower()}\n'
                     f'{supply}relay = {{ board = "{name}", channel = {channel} }}\n{contact}')
        self.config.write_text(text + self.more)
        sim = f'socket = "{self.sim_socket}"\nseed = 1\n[line]\nbaud = {self.baud}\n'
        sim += f'device = "{self.device}"\n' if self.transport == "rtu" else f"port = {self.modbus_port}\n"
        for i in range(self.boards):
            sim += (f"\n[[board]]\naddress = {i + 1}\nrelays = {self.channels}\ninputs = {self.channels}\n"
                    f"turnaround_us = {self.turnaround_us}\nkind = \"{self.board_kind}\"\n")
        for number, board, channel in self.wiring():
            sim += f"\n[[door]]\nnumber = {number}\nboard = {board + 1}\nrelay = {channel}\nbounce_ms = {self.bounce_ms}\n"
        (self.folder / "sim.toml").write_text(sim)

    def profiles(self):
        """A folder with a board of as many relays and inputs, otherwise as the one that is built in."""
        folder = self.folder / "profiles"
        folder.mkdir(exist_ok=True)
        text = (ROOT / "hal" / "boards" / "waveshare-8ch-d.toml").read_text()
        text = text.replace("waveshare-8ch-d", f"wide-{self.channels}")
        text = text.replace("relays = 8", f"relays = {self.channels}").replace("inputs = 8", f"inputs = {self.channels}")
        (folder / "wide.toml").write_text(text)
        return folder

    def more_listeners(self):
        return ""

    def browsers_listener(self):
        """The one that dashboards come to: they read, by the rules that docs/monitoring has for them."""
        rules = (ROOT / "docs" / "monitoring" / "dashboard.acl").read_text()
        accounts = "allow_anonymous true\n"
        if self.dashboard:
            passwords = self.folder / "mosquitto.passwd"
            subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, *self.dashboard], check=True)
            os.chmod(passwords, 0o600)
            rules = rules.replace("user dashboard", f"user {self.dashboard[0]}")
            accounts = f"allow_anonymous false\npassword_file {passwords}\n"
        else:
            rules = rules.replace("user dashboard\n", "")
        acl = self.folder / "mosquitto.acl"
        acl.write_text(rules)
        pages = BIN.parent / "pages" / "ops"  # the same page without a portal, from the broker's own folder
        folder = f"http_dir {pages}\n" if pages.exists() else ""
        return f"listener {self.ws_port} 127.0.0.1\nprotocol websockets\nsocket_domain ipv4\n{accounts}acl_file {acl}\n{folder}"

    def broker_uri(self):
        return f"mqtt://127.0.0.1:{self.mqtt_port}"

    def start_broker(self):
        conf = self.folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        conf.write_text(f"per_listener_settings true\npersistence false\nmax_queued_messages 0\n{user}"
                        f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\n{self.browsers_listener()}{self.more_listeners()}")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.broker = Process([program, "-c", conf], self.folder / "mosquitto.log")
        wait_for(lambda: self._port_answers(self.mqtt_port), what="the broker")

    @staticmethod
    def _port_answers(port):
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex(("127.0.0.1", port)) == 0

    def start_sim(self):
        self.sim = Process([BIN / "lockersim", "--config", self.folder / "sim.toml"], self.folder / "lockersim.log")
        wait_for(lambda: self._sim_answers(), what="the simulated cabinet")

    def end_sim(self):
        self.sim.end()

    def _sim_answers(self):
        if not self.sim.running():
            raise RuntimeError("lockersim ended: " + self.sim.text())
        return self.sim_socket.exists()

    def start_daemon(self, wait_online=True, environment=None):
        before = (self.mqtt.state("status") or {}).get("epoch") if self.mqtt else None
        env = {**os.environ, **(environment or {})}
        self.daemon = Process([*self.wrapper, self.lockerd, "--config", self.config], self.folder / "lockerd.log", env=env)
        if self.mqtt and wait_online:
            def online():
                status = self.mqtt.state("status") or {}
                return status.get("online") and status.get("epoch") != before
            def ready():
                if not self.daemon.running():
                    raise RuntimeError("lockerd ended:\n" + self.daemon.text()[-3000:])
                return online()
            wait_for(ready, what="lockerd online")
            wait_for(lambda: all((self.mqtt.state(f"compartment/{n}") or {}).get("door") != "unknown"
                                 for n in range(1, self.doors + 1)) or self.contact == "none", what="every door known")

    def close(self):
        if self.mqtt:
            self.mqtt.close()
        for part in (self.daemon, self.sim, self.broker):
            if part:
                part.end()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- tools

    def ctl(self, *args, check=True, program="lockerctl", seconds=60):
        env = {**os.environ, "LOCKERCTL_SOCKET": str(self.folder / "state" / "control.sock")}
        done = subprocess.run([str(BIN / program), *[str(a) for a in args]], capture_output=True, text=True, env=env, timeout=seconds)
        if check and done.returncode != 0:
            raise RuntimeError(f"{program} {args}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip() if check else done

    def enter(self, text, via="keypad"):
        return json.loads(self.ctl("--json", "enter", text, "--via", via, check=False).stdout)

    def terminal(self):
        """A keypad of its own: who signs in there stays signed in until it is closed."""
        return Terminal(self.socket)

    def staff_code(self, number, key=None):
        return self.ctl("mint", "staff-code", "--key", key or self.keys / "cabinet.key", "--number", number)

    def document(self, act, version, content, key=None, epoch=True, kid="root"):
        """A roster or a ring of keys, signed by the root key."""
        file = self.folder / f"{act}-{version}.json"
        file.write_text(json.dumps(content))
        args = ["mint", "grant", "--key", key or self.keys / "root.jwk", "--cabinet", self.cabinet, "--act", act,
                "--version", version, "--document", file]
        return self.ctl(*args, *(["--epoch", self.mqtt.epoch()] if epoch else []))

    def roster(self, version, staff):
        return self.mqtt.command("roster", grant=self.document("roster", version, staff))

    def ask_sim(self, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.sim_socket))
            s.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        if not answer.pop("ok"):
            raise RuntimeError(answer["error"])
        return answer

    def pulses(self):
        """How often each board's relays were pulsed."""
        return [b["pulses"] for b in self.ask_sim(do="status")["boards"]]

    def door(self, number):
        return next(d for d in self.ask_sim(do="status")["doors"] if d["door"] == number)

    def fault(self, kind, on=True, **where):
        self.ask_sim(do="fault", kind=kind, on=on, **where)

    def push(self, number):
        self.ask_sim(do="push", door=number)

    def wait_for_coils_off(self):
        wait_for(lambda: not any(b["coils_on"] for b in self.ask_sim(do="status")["boards"]), 5, "coils off")

    def shut(self, number):
        """Pushes until the latch catches: while the coil still pulls, a door that is shut springs open again."""
        def latched():
            door = self.door(number)
            if door["open"]:
                self.push(number)
            return not door["open"] and door["latched"]
        wait_for(latched, 10, f"door {number} shut")

    def grant(self, act, epoch=True, **options):
        args = ["mint", "grant", "--key", self.keys / "issuer.jwk", "--cabinet", self.cabinet, "--act", act]
        if epoch:
            args += ["--epoch", self.mqtt.epoch()]
        for name, value in options.items():
            args += ["--" + name.replace("_", "-"), value]
        return self.ctl(*args)

    def code(self, deposit, issue=0):
        return self.ctl("mint", "code", "--key", self.keys / "cabinet.key", "--deposit", deposit, "--issue", issue)

    def open(self, act, **options):
        return self.mqtt.command("open", grant=self.grant(act, **options))

    # ---- people

    def shut_after_a_while(self, number, seconds=2.0):
        """Somebody stands at the open door for a moment, then pushes it shut."""
        wait_for(lambda: self.door(number)["open"], 10, f"door {number} open")
        opened = time.monotonic()
        wait_for(lambda: time.monotonic() - opened >= seconds, seconds + 5)
        self.shut(number)

    def put_in(self, deposit, kind="return", content="papers", **options):
        after = self.mqtt.head()
        reply = self.open("deposit", deposit=deposit, kind=kind, **options)
        if not reply["ok"]:
            raise RuntimeError(str(reply))
        number = reply["result"]["compartment"]
        self.ask_sim(do="put", door=number, content=content)
        self.shut_after_a_while(number)
        self.mqtt.event("deposit.deposited", after=after, deposit=deposit)
        return number

    def take_out(self, deposit, number):
        """After a collecting opening: takes what is there and shuts the door."""
        after = self.mqtt.head()
        content = self.ask_sim(do="take", door=number)["content"]
        self.shut_after_a_while(number)
        self.mqtt.event("deposit.retrieved", deposit=deposit)
        return content
