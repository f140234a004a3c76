"""What the benches share: how a figure is told, the wire's arithmetic, a cabinet in memory or on the disk."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from cabinet_kit import Listener, Stand, free_port, wait_for

INPUTS = 16       # of a board: one FC02 read asks for all
FORCED_MS = 500   # the core lets a contact rest so long before it calls a door forced; it is no part of the line


class Report:
    def __init__(self, as_json):
        self.as_json = as_json

    def conditions(self, text):
        if not self.as_json:
            print(f"\n{text}")

    def row(self, name, value, unit, reference):
        ratio = value / reference if reference else None
        if self.as_json:
            print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "reference": round(reference, 3),
                              "ratio": None if ratio is None else round(ratio, 3)}), flush=True)
        else:
            print(f"  {name:<52} {value:10.2f} {unit:<10} reference {reference:10.2f}   ratio {ratio:6.2f}", flush=True)


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo", encoding="utf-8") if l.startswith("model name")),
                 "unknown processor")
    return f"{os.cpu_count()} x {model}"


# ---- the wire, by arithmetic: Modbus over serial line V1.02 §2.5.1.1, 8N1

def silence_ms(baud):
    return 1.75 if baud > 19200 else 3.5 * 10 * 1000 / baud


def read_ms(baud):
    """One FC02 read of 16 inputs: 8 + 7 bytes, silence before it, and as much again for the board to turn round."""
    return 15 * 10 * 1000 / baud + 2 * silence_ms(baud)


def transaction_ms(baud):
    """What may be in flight when a pulse is authorised: a read with the silence that the boards' profile wants."""
    return read_ms(baud) - silence_ms(baud) + max(silence_ms(baud), 5 * 10 * 1000 / baud)


class Clocked(Listener):
    """Notes when each event arrived."""

    def __init__(self, *args, **kwargs):
        self.times = {}   # of door.forced, by compartment
        self.opened = {}  # of opening.opened
        super().__init__(*args, **kwargs)

    def _on_message(self, client, user, m):
        at = time.monotonic_ns() / 1e6
        if "/event/door.forced" in m.topic:
            self.times[json.loads(m.payload)["data"]["compartment"]] = at
        elif "/event/opening.opened" in m.topic:
            self.opened[json.loads(m.payload)["data"]["compartment"]] = at
        super()._on_message(client, user, m)


def filesystem_of(folder):
    return subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, capture_output=True, text=True).stdout.strip()


def medium_sync_ms(folder, times=100):
    """What writing and syncing a page costs there, by itself: the median."""
    file = os.open(folder / "sync.probe", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    out = []
    for _ in range(times):
        os.write(file, b"x" * 4096)
        began = time.monotonic()
        os.fdatasync(file)
        out.append((time.monotonic() - began) * 1000)
    os.close(file)
    return quantile(out, 0.5)


class Cabinet(Stand):
    """A stand with boards of sixteen relays and inputs that turn round as fast as the standard lets them."""

    def __init__(self, doors, baud, transport="rtu", in_memory=True, **more):
        where = "/dev/shm" if in_memory and os.path.isdir("/dev/shm") else None
        self.made = tempfile.mkdtemp(prefix="cloud-locker-bench-", dir=where)
        super().__init__(folder=self.made, doors=doors, baud=baud, transport=transport, channels=INPUTS, bounce_ms=0,
                         turnaround_us=int(silence_ms(baud) * 1000) if transport == "rtu" else 1000, start=False, **more)

    def begin(self):
        self.start_broker()
        self.start_sim()
        self.mqtt = Clocked(self.mqtt_port, self.cabinet)
        self.mqtt.connected.wait(10)

    def close(self):
        super().close()
        shutil.rmtree(self.made, ignore_errors=True)

    def moved_ms(self, number):
        return self.door(number)["moved_us"] / 1000

    def shut_all(self, numbers):
        for n in numbers:
            self.push(n)
        wait_for(lambda: all(not d["open"] for d in self.ask_sim(do="status")["doors"] if d["door"] in numbers), 10, "doors shut")
        wait_for(lambda: all((self.mqtt.state(f"compartment/{n}") or {}).get("door") == "closed" for n in numbers), 20,
                 "doors seen shut")


class Secure(Cabinet):
    """lockerd speaks TLS to the broker, under a certificate authority of its own."""

    def tls(self, name):
        return self.folder / "tls" / name

    def make_certificates(self):
        self.tls("").mkdir(exist_ok=True)
        run = lambda *args: subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", "/CN=bench",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.tls("key.pem"), "-out", self.tls("cert.pem"))

    def broker_uri(self):
        if not self.tls("cert.pem").exists():
            self.make_certificates()
            self.tls_port = free_port()
        return f'mqtts://127.0.0.1:{self.tls_port}"\nca_file = "{self.tls("cert.pem")}'

    def more_listeners(self):
        return (f"listener {self.tls_port} 127.0.0.1\nallow_anonymous true\ncafile {self.tls('cert.pem')}\ncertfile {self.tls('cert.pem')}\n"
                f"keyfile {self.tls('key.pem')}\n")
