"""A cabinet is wired wrongly, taken into service, and works: lockerctl commission on lockersim, then the story."""
import json
import random
import signal
import subprocess
import tomllib

from cabinet_kit import Process, wait_for


class Miswired:
    """24 doors on three boards, as tired people wire them; two more boards on one address."""

    def __init__(self, seed=1):
        r = random.Random(seed)
        inputs = [(b, c) for b in (1, 2, 3) for c in range(1, 9)]
        r.shuffle(inputs)
        self.doors = {n: {"board": (n - 1) // 8 + 1, "relay": (n - 1) % 8 + 1, "input": inputs[n - 1], "closed": "on"} for n in range(1, 25)}
        picked = r.sample(range(1, 25), 5)
        self.inverted, self.missing, self.shared = set(picked[:2]), picked[2], set(picked[3:])
        for n in self.inverted:
            self.doors[n]["closed"] = "off"
        one, other = sorted(self.shared)
        self.doors[other]["input"] = self.doors[one]["input"]

    def sim(self, stand, push_after=900):
        text = f'socket = "{stand.sim_socket}"\nseed = 1\n[line]\nbaud = {stand.baud}\ndevice = "{stand.device}"\n[people]\npush_after_ms = {push_after}\n'
        for address, turnaround in ((1, 3000), (2, 3500), (3, 2500), (9, 3000), (9, 3200)):
            text += f"[[board]]\naddress = {address}\nrelays = 8\ninputs = 8\nturnaround_us = {turnaround}\n"
        for n, d in self.doors.items():
            board, channel = d["input"]
            text += (f'[[door]]\nnumber = {n}\nboard = {d["board"]}\nrelay = {d["relay"]}\ninput_board = {board}\n'
                     f'input = {0 if n == self.missing else channel}\nclosed = "{d["closed"]}"\n'
                     f"pull_ms = {60 if n % 5 else 140}\n")
        (stand.folder / "sim.toml").write_text(text)


def commission(s, *more, last=12, check=True):
    """Its lines; the last of them is the summary."""
    done = s.ctl("--json", "commission", "--config", s.config, "--last", last, *more, check=False, seconds=240)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return lines, done.returncode


def bare(s, wires):
    """A configuration with everything but the wiring."""
    text = s.config.read_text()
    s.config.write_text(text[:text.index("[[board]]")] + '# sizes as they are on the doors\n[[compartment]]\nnumber = 4\nsize = "L"\naccessible = true\n')
    wires.sim(s)


def check_configuration(s, wires):
    written = tomllib.loads(s.config.read_text())
    boards = {b["name"]: b["address"] for b in written["board"]}
    assert sorted(boards.values()) == [1, 2, 3]
    doors = {c["number"]: c for c in written["compartment"]}
    assert set(doors) == set(range(1, 25))
    for n, d in wires.doors.items():
        c = doors[n]
        assert (boards[c["relay"]["board"]], c["relay"]["channel"]) == (d["board"], d["relay"])
        if n == wires.missing or n in wires.shared:
            assert c["contact"] == "none"
        else:
            assert (boards[c["input"]["board"]], c["input"]["channel"]) == d["input"]
            assert c["closed"] == d["closed"]
    assert doors[4]["size"] == "L" and doors[4]["accessible"]
    assert 200 <= written["lock"]["pulse_ms"] <= 700
    return written


def test_a_miswired_cabinet_is_understood_and_works(stand):
    s = stand(doors=24, start=False)
    wires = Miswired()
    bare(s, wires)
    s.start_sim()
    lines, _ = commission(s, "--unattended", "--doors", "24")
    findings = [line for line in lines if line["what"] == "finding"]
    kinds = [f["kind"] for f in findings]
    assert kinds.count("collision") == 1 and kinds.count("inverted") == 2
    assert kinds.count("no_contact") == 1 and kinds.count("shared_input") == 1
    assert any(f"door {wires.missing}," in f["text"] for f in findings if f["kind"] == "no_contact")
    assert all(any(f"door {n}:" in f["text"] for f in findings if f["kind"] == "inverted") for n in wires.inverted)
    assert any(all(str(n) in f["text"] for n in wires.shared) for f in findings if f["kind"] == "shared_input")
    assert [b["firmware"] for b in lines if b["what"] == "board"] == ["2.10"] * 3
    check_configuration(s, wires)
    assert not [b for b in s.ask_sim(do="status")["boards"] if b["coils_on"]]
    # … and the story runs on it.
    s.end_sim()
    wires.sim(s, push_after=0)
    s.start_sim()
    s.start_broker()
    s.mqtt = s.listener()
    s.contact = "none"  # for some doors nobody can tell whether they are open
    s.start_daemon()
    wired = s.mqtt.event("cabinet.wired")
    record = json.loads(wired["data"]["record"])
    assert len(record["doors"]) == 24 and len(record["findings"]) == len(findings)
    wait_for(lambda: not (s.folder / "state" / "wiring.json").exists(), what="the record's end")
    silent = {wires.missing} | wires.shared
    wait_for(lambda: all((s.mqtt.state(f"compartment/{n}") or {}).get("door") == "closed" for n in wires.doors if n not in silent),
             what="every door that tells is shut")
    n = s.put_in("d-1", "intake", size="L")
    assert n == 4 and s.mqtt.command("confirm", {"deposit": "d-1"})["ok"]
    assert s.enter(s.code("d-1"))["ok"] and s.take_out("d-1", n) == "papers"
    # in service nothing is opened for the installer's sake
    s.put_in("d-2")
    assert s.daemon.end() == 0
    lines, code = commission(s, "--unattended", check=False)
    assert code == 1 and "in service" in lines[-1]["text"]


def test_stopped_and_gone_on_with(stand):
    s = stand(doors=24, start=False)
    wires = Miswired(2)
    bare(s, wires)
    s.start_sim()
    log = s.folder / "commission.log"
    args = [s.bin / "lockerctl", "--json", "commission", "--config", s.config, "--last", "4", "--unattended", "--doors", "24"]
    run = Process(args, log)
    wait_for(lambda: log.read_text().count('"what":"lock"') >= 5, 60, "five locks")
    assert run.end(signal.SIGINT) == 130
    assert not [b for b in s.ask_sim(do="status")["boards"] if b["coils_on"]]
    before = {d["door"]: d["openings"] for d in s.ask_sim(do="status")["doors"]}
    lines, _ = commission(s, "--unattended", "--doors", "24", last=4)
    assert any(line["what"] == "resumed" for line in lines)
    after = {d["door"]: d["openings"] for d in s.ask_sim(do="status")["doors"]}
    learnt = [n for n in before if before[n]]
    assert sum(1 for n in learnt if after[n] == before[n] + 1) >= 4  # what was learnt is confirmed, and not learnt again
    assert sum(1 for n in before if n not in learnt and after[n] == 2) >= 15
    check_configuration(s, wires)


def test_attended_by_an_installer(stand):
    """Numbers are typed; a door without a contact is told by who sees it."""
    s = stand(doors=8, boards=1, start=False)
    text = s.config.read_text()
    s.config.write_text(text[:text.index("[[board]]")])
    sim = (s.folder / "sim.toml").read_text().replace("[line]", "[people]\npush_after_ms = 900\n[line]")
    first = sim.index("number = 3\n")
    s.folder.joinpath("sim.toml").write_text(sim[:first] + sim[first:].replace("relay = 3\n", "relay = 3\ninput = 0\n", 1))
    s.start_sim()
    numbers = {1: 8, 2: 7, 4: 5, 5: 4, 6: 3, 7: 2, 8: 1}  # as somebody stuck them on; relay 3's door is 6
    said = ["", "9", "x", "8=9", "9=8", "8", "7", "5", "4", "3", "2", "1", "6"]  # the first one is mended two doors later
    done = subprocess.run([s.bin / "lockerctl", "commission", "--config", s.config, "--last", "2", "--pulse-max", "200"], text=True,
                          input="\n".join(said) + "\n", capture_output=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A number from 1 to 999" in done.stdout and "Door 8 has its lock already" in done.stdout
    assert "no door was called 8 so far" in done.stdout and "Changed: 9=8" in done.stdout
    written = {c["relay"]["channel"]: c for c in tomllib.loads(s.config.read_text())["compartment"]}
    assert {r: c["number"] for r, c in written.items()} == {**numbers, 3: 6}
    assert written[3]["contact"] == "none" and written[1]["contact"] == "door"


def test_a_line_on_which_nobody_answers(stand):
    s = stand(doors=8, start=False)
    s.start_sim()
    s.fault("pull")
    lines, code = commission(s, "--unattended", last=2, check=False)
    assert code == 1 and "no board answers" in lines[-1]["text"]
    s.fault("pull", on=False)
    s.start_broker()
    s.mqtt = s.listener()
    s.start_daemon()
    done = s.ctl("--json", "commission", "--config", s.config, "--unattended", check=False)
    assert done.returncode == 2 and "held by process" in done.stderr


def test_a_cabinet_in_service_is_walked(stand):
    s = stand(doors=8, boards=1)
    assert s.roster(1, [{"number": "4711", "sub": "g", "permits": ["maintain"]}])["ok"]
    s.end_sim()
    s.mqtt.event("board.lost")
    sim = (s.folder / "sim.toml").read_text().replace("[line]", "[people]\npush_after_ms = 1800\n[line]")
    five = sim.index("number = 5\n")
    head, tail = sim[:five], sim[five:].replace("relay = 5", "relay = 0").replace("relay = 6", "relay = 5").replace("relay = 0", "relay = 6")
    (s.folder / "sim.toml").write_text(head + tail.replace("relay = 6\n", "relay = 6\ninput = 5\n", 1).replace("relay = 5\n", "relay = 5\ninput = 6\n", 1))
    s.start_sim()
    s.mqtt.event("board.recovered", seconds=60)
    s.fault("jam", door=2)
    done = s.ctl("--json", "commission", "--verify", "--staff", s.staff_code("4711"), check=False, seconds=120)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1, done.stdout + done.stderr
    assert {line["compartment"] for line in lines if line["what"] == "difference"} == {2, 5, 6}
    assert "Door 2: jammed" in done.stdout
    assert {line["compartment"] for line in lines if line["what"] == "door"} == {1, 3, 4, 7, 8}
    assert s.mqtt.types().count("opening.authorised") == 7  # each with an authority, in the ledger
