"""Locks and contacts that fail: the outcome is told truly and nobody gets a compartment in which something may lie."""
from cabinet_kit import wait_for


def test_jammed_latch_moves_the_deposit_on(stand):
    s = stand()
    s.fault("jam", door=1)
    reply = s.open("deposit", deposit="j-1", kind="return")
    assert reply["ok"] and reply["result"]["compartment"] == 2
    jam = s.mqtt.event("opening.jammed", compartment=1)
    s.mqtt.event("deposit.moved", compartment=2, **{"from": 1})
    assert s.mqtt.event("opening.authorised", compartment=2)["data"]["after"] == jam["data"]["opening"]
    wait_for(lambda: s.mqtt.state("compartment/1")["use"] == "suspected")
    assert s.mqtt.state("alarm/jammed/1") and s.mqtt.state("alarm/suspected/1")
    for i in range(3):
        assert s.put_in(f"next-{i}") != 1
    s.fault("jam", on=False, door=1)
    assert s.open("settle", compartment=1)["ok"]
    s.shut_after_a_while(1)
    s.mqtt.event("compartment.settled", compartment=1)
    wait_for(lambda: s.mqtt.state("compartment/1")["use"] == "vacant")
    wait_for(lambda: not s.mqtt.state("alarm/jammed/1") and not s.mqtt.state("alarm/suspected/1"))


def test_jammed_retrieval_keeps_code_and_papers(stand):
    s = stand()
    n = s.put_in("j-2")
    s.fault("jam", door=n)
    assert s.enter(s.code("j-2"))["error"]["code"] == "jammed"
    assert s.mqtt.state(f"compartment/{n}")["use"] == "occupied"
    s.fault("jam", on=False, door=n)
    assert s.enter(s.code("j-2"))["ok"]
    assert s.take_out("j-2", n) == "papers"


def test_cut_contact_is_unknown(stand):
    s = stand()
    n = s.put_in("c-1")
    s.fault("cut", door=n)
    s.mqtt.event("door.forced", compartment=n)  # a cut cable looks like a forced door
    reply = s.enter(s.code("c-1"))
    assert reply["error"]["code"] == "unknown_outcome"
    assert s.door(n)["open"]  # a bad sensor does not stop an authorised opening
    s.shut(n)
    assert s.mqtt.state(f"compartment/{n}")["use"] == "occupied"
    assert s.enter(s.code("c-1"))["error"]["code"] == "unknown_outcome"  # the same code once more
    assert "deposit.retrieved" not in s.mqtt.types()


def test_welded_relay_is_still_there(stand):
    s = stand(policy="held_open_s = 4")
    s.fault("weld", door=1)
    reply = s.open("deposit", deposit="w-1", kind="return")
    assert reply["ok"]
    s.push(1)  # the latch cannot catch: the door springs open again
    s.mqtt.event("door.held_open", compartment=1)
    assert "deposit.deposited" not in s.mqtt.types()
    assert s.mqtt.state("compartment/1")["use"] == "reserved"
    assert s.mqtt.state("alarm/held_open/1")
    assert s.put_in("other") != 1


def test_door_that_bounces_shut(stand):
    s = stand()
    n = s.put_in("b-1")
    s.fault("bounce", door=n, ms=500)
    assert s.enter(s.code("b-1"))["ok"]
    closed = s.mqtt.event("opening.closed", bounced=True)
    assert closed["data"]["deposit"] == "b-1"
    assert s.mqtt.state(f"compartment/{n}")["use"] == "occupied"
    s.fault("bounce", on=False, door=n)
    assert s.enter(s.code("b-1"))["ok"]  # the same code
    assert s.take_out("b-1", n) == "papers"


def test_forgot_something(stand):
    s = stand()
    n = s.put_in("g-1")
    code = s.code("g-1")
    assert s.enter(code)["ok"]
    s.take_out("g-1", n)
    assert s.enter(code)["result"]["compartment"] == n  # within the grace
    s.shut_after_a_while(n)
    assert s.put_in("g-2") != n


def test_silent_board_is_lost_and_found(stand):
    s = stand()
    s.fault("silent", board=2)
    s.mqtt.event("board.lost", board="B")
    wait_for(lambda: s.mqtt.state("compartment/9")["door"] == "unknown")
    assert s.mqtt.state("compartment/1")["door"] == "closed"
    assert s.open("open", compartment=9)["error"]["code"] == "board_lost"
    assert s.open("open", compartment=1)["ok"]
    s.fault("silent", on=False, board=2)
    s.mqtt.event("board.recovered", board="B")
    wait_for(lambda: s.mqtt.state("compartment/9")["door"] == "closed")


def test_wrong_checksums_and_late_answers_pass(stand):
    s = stand()
    s.fault("late", board=1, ms=170)  # beyond the profile's timeout
    s.mqtt.event("board.lost", board="A")
    s.fault("late", on=False, board=1)
    s.mqtt.event("board.recovered", board="A")
    s.fault("crc", board=1)
    s.mqtt.event("board.lost", after=s.mqtt.head(), board="A")
    s.fault("crc", on=False, board=1)
    s.mqtt.event("board.recovered", after=s.mqtt.head(), board="A")
    # in step again: what a door does is seen at once and at the right door
    assert s.open("open", compartment=3)["result"]["compartment"] == 3
    assert "door.forced" not in s.mqtt.types()


def test_answer_lost_after_the_relay_moved(stand):
    s = stand()
    n = s.put_in("l-1")
    s.fault("lost_reply", board=1)
    s.mqtt.event("board.lost", board="A")
    s.fault("lost_reply", on=False, board=1)
    s.mqtt.event("board.recovered", board="A")
    assert s.enter(s.code("l-1"))["ok"]
    assert s.take_out("l-1", n) == "papers"


def test_full_cabinet(stand):
    s = stand(doors=3)
    s.put_in("f-1", "intake")
    s.put_in("f-2", "intake")
    assert s.open("deposit", deposit="f-3", kind="intake")["error"]["code"] == "no_vacancy"
    s.put_in("f-4", "return")
    assert s.open("deposit", deposit="f-5", kind="return")["error"]["code"] == "no_vacancy"
