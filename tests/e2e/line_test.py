"""The line from outside: kinds of boards, an adapter that is pulled, a gateway that accepts and keeps silent."""
import time

import pytest

from cabinet_kit import wait_for

KINDS = {
    "waveshare-8ch-d": ("waveshare", "door", ""),
    "lc-modbus-8r-d7": ("lc-modbus", "door", ""),
    "r421a08": ("r421a08", "none", "pulse_ms = 1000"),
    "wellpro-wp8025adam": ("on-off", "none", ""),
}


@pytest.mark.parametrize("transport", ["rtu", "tcp"])
@pytest.mark.parametrize("profile", KINDS)
def test_each_kind_of_board_opens_a_door_and_leaves_no_coil_on(stand, profile, transport):
    kind, contact, lock = KINDS[profile]
    s = stand(board=(profile, kind), contact=contact, lock=lock, transport=transport, doors=9)
    warned = "has no timer of its own" in s.daemon.text()
    assert warned == (kind == "on-off")
    reply = s.open("open", compartment=9)
    if contact == "none":
        assert reply["error"]["code"] == "unknown_outcome"
    else:
        assert reply["result"]["outcome"] == "opened"
    assert s.door(9)["open"] and s.door(9)["openings"] == 1
    s.wait_for_coils_off()
    assert not any(d["open"] for d in s.ask_sim(do="status")["doors"] if d["door"] != 9)


def outage(s, kind, boards):
    """Takes the line away for two seconds; gives what the ledger says of each board's loss and return."""
    after = s.mqtt.head()
    began = time.monotonic()
    s.fault(kind)
    names = [chr(65 + i) for i in range(boards)]
    lost = [s.mqtt.event("board.lost", after=after, board=n) for n in names]
    wait_for(lambda: all(s.mqtt.state(f"alarm/board_lost/{n}") for n in names))
    wait_for(lambda: time.monotonic() - began >= 2, 5)
    s.fault(kind, on=False)
    back = [s.mqtt.event("board.recovered", after=after, board=n, seconds=40) for n in names]
    passed = (time.monotonic() - began) * 1000
    for event in back:
        assert 500 <= event["data"]["out_ms"] <= passed
    wait_for(lambda: not any(s.mqtt.state(f"alarm/board_lost/{n}") for n in names))
    assert len(lost) == len(back)


@pytest.mark.parametrize("transport,kind", [("rtu", "unplug"), ("tcp", "unplug"), ("rtu", "pull"), ("tcp", "pull")])
def test_a_line_that_goes_and_comes_recovers_without_help(stand, transport, kind):
    """unplug: the adapter, or the gateway's port, is gone. pull: it is there, accepts, and never answers."""
    s = stand(transport=transport)
    n = s.put_in("line-1")
    outage(s, kind, 2)
    wait_for(lambda: all(s.mqtt.state(f"compartment/{i}")["door"] == "closed" for i in range(1, s.doors + 1)))
    assert s.enter(s.code("line-1"))["ok"]
    assert s.take_out("line-1", n) == "papers"


def test_two_lines_at_once_one_of_them_gone(stand):
    s, other = stand(doors=4, start=False), stand(doors=4, start=False)
    more = f'\n[[bus]]\nname = "line2"\ndevice = "{other.device}"\n[[board]]\nname = "Z"\nbus = "line2"\naddress = 1\n'
    more += 'profile = "waveshare-8ch-d"\n'
    for n in range(1, 5):
        wired = f'{{ board = "Z", channel = {n} }}'
        more += f'[[compartment]]\nnumber = {n + 4}\nsupply = 2\nrelay = {wired}\ncontact = "door"\ninput = {wired}\n'
    s.config.write_text(s.config.read_text() + more)
    s.start_broker()
    s.start_sim()
    other.start_sim()
    s.mqtt = s.listener()
    s.start_daemon()
    wait_for(lambda: s.mqtt.state("compartment/8")["door"] == "closed")
    s.fault("unplug")
    s.mqtt.event("board.lost", board="A")
    assert s.open("open", compartment=2)["error"]["code"] == "board_lost"
    assert s.open("open", compartment=6)["result"]["outcome"] == "opened"
    assert [d["door"] for d in other.ask_sim(do="status")["doors"] if d["open"]] == [2]
    s.fault("unplug", on=False)
    s.mqtt.event("board.recovered", board="A", seconds=40)
    assert s.open("open", compartment=2)["result"]["outcome"] == "opened"
