"""A portal beside a stand: locker-portal with its keys, catalogue and staff, on a free port of loopback."""
import base64
import hashlib
import hmac
import http.cookiejar
import json
import os
import pathlib
import secrets
import shutil
import struct
import subprocess
import time
import urllib.error
import urllib.request

from cabinet_kit import BIN, ROOT, Process, free_port

PASSWORD = "a long password"


def totp(secret, when=None):
    """RFC 6238 as an authenticator has it; not the program's own code."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(when or time.time()) // 30), hashlib.sha1).digest()
    at = digest[19] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000:06}"


def poll(condition, seconds=20, what="the condition"):
    """As wait_for, at a pace that the portal's limits allow a person's phone."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds} s")
        time.sleep(0.1)
    return found


class Refused(Exception):
    def __init__(self, status, body):
        self.status, self.body = status, body
        self.code = body.get("error", {}).get("code", "")
        super().__init__(f"{status} {body}")


class Browser:
    """Cookies and the CSRF token, as a page of ours has them."""

    def __init__(self, origin):
        self.origin, self.csrf = origin, ""
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    checked = None  # tests hold every answer against the API's document

    def send(self, path, body=None, headers=None, method=None, seconds=30):
        status, head, text = self.exchange(path, body, headers, method, seconds)
        if self.checked and head.get("Content-Type", "").startswith("application/json"):
            self.checked(method or ("GET" if body is None else "POST"), path, status, text)
        return status, head, text

    def exchange(self, path, body, headers, method, seconds):
        given = {"Origin": self.origin, "Content-Type": "application/json", "X-CSRF": self.csrf} if body is not None else {}
        request = urllib.request.Request(self.origin + path, method=method or ("POST" if body is not None else "GET"),
                                         data=None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
                                         headers={**given, **(headers or {})})
        try:
            with self.opener.open(request, timeout=seconds) as r:
                return r.status, r.headers, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def ask(self, path, body=None, **more):
        status, _, text = self.send(path, body, **more)
        said = json.loads(text)
        if status >= 300:
            raise Refused(status, said)
        return said


def pages_weight(portal):
    """Bytes of the residents' page and all it loads, and the time until its services can be tapped on a slow 3G line."""
    given = {"origin": portal.origin, "cabinet": portal.stand.cabinet, "chromium": shutil.which("chromium"), "modules": str(ROOT / "portal" / "web")}
    done = subprocess.run(["node", ROOT / "scripts" / "pages_weight.mjs", json.dumps(given)], check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


class Portal:
    def __init__(self, stand, folder=None, notices='residents = ["inbox"]\nstaff = ["inbox"]\n', more="", start=True, cabinets=(), http=""):
        self.stand = stand
        self.folder = pathlib.Path(folder or stand.folder / "portal")
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.config = self.folder / "portal.toml"
        self.process = None
        self.staff = {}  # number: TOTP secret
        self.steps = {}
        key = self.folder / "data.key"
        if not key.exists():
            key.touch(0o600)
            key.write_text(secrets.token_hex(32) + "\n")
            shutil.copy(stand.keys / "issuer.jwk", self.folder / "issuer.jwk")
            os.chmod(self.folder / "issuer.jwk", 0o600)
        token = self.folder / "figures.token"
        if not token.exists():
            token.touch(0o600)
            token.write_text(secrets.token_hex(16) + "\n")
        self.figures_token = token.read_text().strip()
        self.config.write_text(f'''[http]
listen = "127.0.0.1:{self.port}"
origin = "{self.origin}"
pages = "{BIN.parent / 'pages'}"
{http}
[storage]
database = "portal.db"

[keys]
data = "data.key"
issuer = "issuer.jwk"

[mqtt]
uri = "mqtt://127.0.0.1:{stand.mqtt_port}"
version = "{'5' if stand.mqtt_version == 5 else '3.1.1'}"

[ops]
broker = "ws://127.0.0.1:{stand.ws_port}"
anonymous = {'false' if stand.dashboard else 'true'}
figures_token = "figures.token"

{more}
[notices]
trial = true
quiet_from = "00:00"
quiet_to = "00:00"
{notices}''')
        if not (self.folder / "portal.db").exists():
            self.ctl("catalogue", ROOT / "portal" / "catalogue.example.toml")
            for one in (stand, *cabinets):
                self.enrol(one)
            self.add_staff("4711", "王网格", "worker")
            self.add_staff("9000", "管理员", "admin")
        if start:
            self.start()

    def enrol(self, stand):
        self.ctl("enrol", stand.cabinet, "--name", "景慧小区 3 号柜", "--place", "北门岗亭旁", "--help-number", "0917-000000", "--key", stand.keys / "cabinet.key")

    def ctl(self, *args, check=True, input=None):
        return subprocess.run([str(a) for a in (BIN / "locker-portal", "--config", self.config, *args)], check=check, text=True, input=input,
                              capture_output=True, timeout=30)

    def add_staff(self, number, name, role):
        done = self.ctl("add-staff", number, "--name", name, "--role", role, input=PASSWORD + "\n")
        self.staff[number] = json.loads(done.stdout)["totp"]

    def start(self, online=True):
        self.process = Process([BIN / "locker-portal", "--config", self.config, "serve"], self.folder / "portal.log")
        poll(self.answers, 20, "the portal")
        if online:
            self.wait_online()

    def answers(self):
        try:
            return Browser(self.origin).ask(f"/api/cabinets/{self.stand.cabinet}")
        except (OSError, Refused):
            return None

    def wait_online(self, online=True, cabinet=None):
        poll(lambda: Browser(self.origin).ask(f"/api/cabinets/{cabinet or self.stand.cabinet}")["online"] == online, 30, f"online = {online}")

    def end(self, how=None):
        if self.process:
            self.process.end(*(() if how is None else (how,)))
            self.process = None

    def log(self):
        return self.process.text() if self.process else ""

    def inbox(self, phone):
        return Browser(self.origin).ask(f"/api/trial/inbox?phone={phone.replace('+', '%2B')}")["notices"]

    def resident(self, phone):
        b = Browser(self.origin)
        b.ask("/api/sign-in/code", {"phone": phone})
        code = next(n for n in self.inbox(phone) if n["template"] == "sign_in")["parameters"]["code"]
        b.csrf = b.ask("/api/sign-in", {"phone": phone, "code": code})["csrf"]
        return b

    def totp_of(self, number):
        """A code that was not used before: each step is good once."""
        def fresh():
            step = int(time.time()) // 30
            if self.steps.get(number, 0) < step:
                self.steps[number] = step
                return totp(self.staff[number], step * 30)
            if self.steps[number] == step:  # one step early is good, too
                self.steps[number] = step + 1
                return totp(self.staff[number], (step + 1) * 30)
            return None
        return poll(fresh, 40, "a new step")

    def worker(self, number="4711"):
        b = Browser(self.origin)
        b.csrf = b.ask("/api/staff/sign-in", {"number": number, "password": PASSWORD, "totp": self.totp_of(number)})["csrf"]
        return b
