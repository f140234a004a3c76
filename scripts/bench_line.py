"""The line and the way to it: contact to MQTT event, authorisation to coil, code on MQTT to coil."""
import json
import random
import socket
import threading
import time

from bench_kit import (FORCED_MS, INPUTS, Cabinet, filesystem_of, machine, medium_sync_ms, quantile, read_ms, silence_ms, transaction_ms)
from cabinet_kit import wait_for


def contact_latencies(cabinet, doors, rounds, rng):
    """From the moment a contact changes to the arrival of its event, the core's rest taken off. Milliseconds."""
    out = []
    for _ in range(rounds):
        order = doors[:]
        rng.shuffle(order)
        cabinet.mqtt.times.clear()
        for n in order:
            time.sleep(rng.uniform(0.02, 0.12))
            cabinet.ask_sim(do="pull", door=n)
        wait_for(lambda o=order: all(n in cabinet.mqtt.times for n in o), 30, "every event")
        status = {d["door"]: d["moved_us"] / 1000 for d in cabinet.ask_sim(do="status")["doors"]}
        out += [cabinet.mqtt.times[n] - status[n] - FORCED_MS for n in order]
        cabinet.shut_all(order)
    return out


class Watch:
    """A terminal that watches: when each authorisation was on disk, as lockerd told it a moment later."""

    def __init__(self, cabinet):
        self.authorised = {}  # compartment -> monotonic ms
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(cabinet.socket))
        self.socket.sendall(b'{"do":"watch"}\n')
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.socket.makefile():
            at = time.monotonic_ns() / 1e6
            if "locker.opening.authorised" in line:
                self.authorised[json.loads(line)["data"]["compartment"]] = at

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def coil_latencies(cabinet, doors, times, baud, rng):
    """Milliseconds from an authorisation on disk, and from the grant's entry, to the first bit of its pulse on the wire; and
    from the movement of the door to the arrival of `opening.opened`, while its board is read back to back. The first starts
    when a watcher hears of the authorisation, a moment after the commit; the second holds verification and commit, too."""
    terminal, watch = cabinet.terminal(), Watch(cabinet)
    wire = 8 * 10 * 1000 / baud if cabinet.transport == "rtu" else 0
    chosen = [doors[i % len(doors)] for i in range(times)]
    grants = [cabinet.grant("open", epoch=False, compartment=n, life=3600) for n in chosen]
    coil, entry, opened = [], [], []
    for n, grant in zip(chosen, grants):
        time.sleep(rng.uniform(2.6, 2.9))  # until no contact is watched: boards take turns again, dead ones are probed
        cabinet.mqtt.opened.pop(n, None)
        began = time.monotonic_ns() / 1e6
        reply = terminal.enter(grant, via="scanner")
        if not reply["ok"]:
            raise RuntimeError(str(reply))
        doors_now = {d["door"]: d for d in cabinet.ask_sim(do="status")["doors"]}
        energised = doors_now[n]["energised_us"] / 1000 - wire
        coil.append(energised - watch.authorised[n])
        entry.append(energised - began)
        opened.append(wait_for(lambda c=n: cabinet.mqtt.opened.get(c), 5, "opening.opened") - doors_now[n]["moved_us"] / 1000)
        for d in doors_now.values():
            if d["open"] and d["door"] != n:  # the coil of the one that was just opened may still pull
                cabinet.push(d["door"])
    terminal.close()
    watch.close()
    return {"coil": coil, "entry": entry, "opened": opened}


def run_line(report, options):
    rng = random.Random(1)
    cases = []
    for transport in options.transports:
        for baud in options.bauds if transport == "rtu" else [0]:
            for doors in options.doors:
                for dead in options.dead:
                    if dead < -(-doors // INPUTS):
                        cases.append((transport, baud, doors, dead))
    if not cases:
        raise SystemExit("scripts/bench: no cabinet of these sizes has more boards than are dead")
    report.conditions(f"line: {machine()}; boards of 16 inputs; a simulated wire with byte times; "
                      f"{options.pulses} pulses; the state in memory, so without the medium's sync")
    for transport, baud, doors, dead in cases:
        cabinet = Cabinet(doors, baud or 9600, transport)
        try:
            cabinet.begin()
            boards = -(-doors // INPUTS)
            cabinet.start_daemon()
            for i in range(dead):
                cabinet.fault("silent", board=boards - i)
            living = [n for n, board, _ in cabinet.wiring() if board < boards - dead]
            if dead:
                time.sleep(30)  # the breaker's pauses have grown
            name = f"{transport}.{baud}.{doors}doors.{dead}dead" if baud else f"{transport}.{doors}doors.{dead}dead"
            if transport == "rtu":
                flight, read, cycle = transaction_ms(baud), read_ms(baud), (boards - dead) * read_ms(baud)
            else:
                flight, read, cycle = 1, 1, boards - dead  # the simulated gateway's answer; lockerd's pace is its own choice
            seen = contact_latencies(cabinet, living, -(-options.contacts // len(living)), rng)
            for q, label in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
                report.row(f"line.contact.{name}.{label}", quantile(seen, q), "ms", q * cycle + read)
            pulses = coil_latencies(cabinet, living, options.pulses, baud or 9600, rng)
            for kind, limit in (("coil", flight), ("entry", flight), ("opened", 2 * read)):
                for q, label in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
                    report.row(f"line.{kind}.{name}.{label}", quantile(pulses[kind], q), "ms", limit)
        finally:
            cabinet.close()


def put_papers_in(cabinet, doors, prefix):
    """A deposit of kind return behind each door: by door, its id."""
    held = {}
    for i in range(doors):
        deposit = f"{prefix}-{i}"
        reply = cabinet.mqtt.command("open", grant=cabinet.grant("deposit", deposit=deposit, kind="return"))
        if not reply["ok"]:
            raise RuntimeError(str(reply))
        held[reply["result"]["compartment"]] = deposit
    time.sleep(2)  # doors that were open for less than 1.5 s only bounced
    close_all(cabinet)
    for deposit in held.values():
        cabinet.mqtt.event("deposit.deposited", deposit=deposit, seconds=30)
    return held


def close_all(cabinet):
    def latched():
        doors = cabinet.ask_sim(do="status")["doors"]
        for d in doors:
            if d["open"]:
                cabinet.push(d["door"])
        return all(not d["open"] and d["latched"] for d in doors)
    wait_for(latched, 20, "every door shut")


def run_open(report, options):
    doors, rng, medians = 24, random.Random(1), []
    for in_memory in (True, False):
        cabinet = Cabinet(doors, options.baud, in_memory=in_memory)
        try:
            cabinet.begin()
            cabinet.start_daemon()
            where = "memory" if in_memory else "disk"
            report.conditions(f"open: {machine()}; {doors} doors on 2 boards at {options.baud} baud, MQTT 5, the state in "
                              f"{'memory' if in_memory else filesystem_of(cabinet.folder)}")
            out = []
            usable = doors - 3  # some stay free for returns
            for r in range(options.rounds):
                held = put_papers_in(cabinet, usable, f"o{r}")
                for number, deposit in held.items():
                    code = cabinet.code(deposit)
                    time.sleep(rng.uniform(0.1, 0.3))
                    began = time.monotonic_ns() / 1e6
                    reply = cabinet.mqtt.command("verify", {"code": code})
                    if not reply["ok"]:
                        raise RuntimeError(str(reply))
                    out.append(cabinet.door(number)["energised_us"] / 1000 - 8 * 10 * 1000 / options.baud - began)
                time.sleep(2)
                close_all(cabinet)
                for deposit in held.values():
                    cabinet.mqtt.event("deposit.retrieved", deposit=deposit, seconds=30)
                if r + 1 < options.rounds:
                    time.sleep(62)  # who forgot something may come back for a minute
            for q, label in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
                report.row(f"open.{where}.{label}", quantile(out, q), "ms", transaction_ms(options.baud))
            medians.append(quantile(out, 0.5))
            if not in_memory:  # what the disk takes of it, against one sync of a page by itself
                report.row("open.sync.p50", max(0, medians[1] - medians[0]), "ms", medium_sync_ms(cabinet.folder))
        finally:
            cabinet.close()
