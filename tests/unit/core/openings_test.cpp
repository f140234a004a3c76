// Outcomes told truly (design §4): bounce, jam, unknown, grace.
#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

TEST_CASE("a door that bounces shut changes neither deposit nor code") {
    bench b;
    const int n = b.put_in("d1");
    CHECK(ok(b.enter(b.code("d1", 0))));
    b.pass(500);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.last_event("opening.closed").at("bounced").as_bool());
    CHECK(b.count("deposit.retrieved") == 0);
    CHECK(b.compartment(n).at("use").as_string() == "occupied");
    CHECK(ok(b.enter(b.code("d1", 0))));
    b.pass(2000);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.count("deposit.retrieved") == 1);
}

TEST_CASE("a contact that bounces before it rests is one closing") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.pass(3000);
    for (int i = 0; i < 5; ++i) {
        b.door(1, false);
        b.pass(300);
        b.door(1, true);
        b.pass(50);
    }
    CHECK(b.count("opening.closed") == 0);
    b.door(1, false);
    b.pass(1000);
    CHECK(b.count("opening.closed") == 1);
}

TEST_CASE("a code is spent; within the grace it reopens the same door, which nobody else gets") {
    bench b({.doors = 3});
    const int n = b.put_in("d1");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    CHECK(code_of(b.enter(b.code("d1", 0))) == "busy");  // it stands open
    b.pass(2000);
    b.door(n, false);
    b.pass(1000);
    REQUIRE(b.count("deposit.retrieved") == 1);
    CHECK(b.put_in("d2") != n);
    CHECK(ok(b.enter(b.code("d1", 0))));
    b.pass(2000);
    b.door(n, false);
    b.pass(minute);
    CHECK(b.count("deposit.retrieved") == 1);
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
}

TEST_CASE("an accepted issue ends the earlier ones; five issues are tried") {
    bench b;
    const int n = b.put_in("d1");
    CHECK(code_of(b.enter(b.code("d1", 5))) == "wrong_code");
    CHECK(ok(b.enter(b.code("d1", 4))));
    b.pass(500);
    b.door(n, false);
    b.pass(1000);  // bounced: issue 4 is good still, 3 is not
    CHECK(code_of(b.enter(b.code("d1", 3))) == "wrong_code");
    CHECK(ok(b.enter(b.code("d1", 4))));
}

TEST_CASE("a collection that jams leaves the code unspent and moves nothing") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    CHECK(code_of(b.last_answer) == "jammed");
    CHECK(b.count("opening.jammed") == 1);
    CHECK(b.count("deposit.moved") == 0);
    CHECK(b.compartment(n).at("lock").as_string() == "jammed");
    b.reacts = [&](int number) { b.door(number, true); };
    CHECK(ok(b.enter(b.code("d1", 0))));
    CHECK(b.compartment(n).at("lock").as_string() == "ok");
}

TEST_CASE("three jams quarantine a lock; retrieval is tried all the same") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    for (int i = 0; i < 3; ++i) {
        (void)b.enter(b.code("d1", 0));
        b.pass(9000);
    }
    CHECK(b.count("lock.quarantined") == 1);
    CHECK(b.compartment(n).at("lock").as_string() == "quarantined");
    b.reacts = [&](int number) { b.door(number, true); };
    CHECK(ok(b.enter(b.code("d1", 0))));
}

TEST_CASE("a jammed deposit moves on under an opening of its own, and the jammed door is suspected") {
    bench b;
    b.reacts = [&](int n) {
        if (n != 1) {
            b.door(n, true);
        }
    };
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.pass(9000);
    CHECK(ok(b.last_answer));
    CHECK(b.last_answer.at("result").at("compartment").as_int64() == 2);
    CHECK(b.last_event("deposit.moved").at("from").as_int64() == 1);
    CHECK(b.last_event("opening.authorised").at("after").as_int64() ==
          b.last_event("opening.jammed").at("opening").as_int64());
    CHECK(b.compartment(1).at("use").as_string() == "suspected");
    CHECK(b.compartment(2).at("use").as_string() == "reserved");
    CHECK(b.count("opening.authorised") == 2);
}

TEST_CASE("a cut contact: unknown, and the code works three times more within ten minutes") {
    bench b;
    const int n = b.put_in("d1");
    b.door(n, true);  // the cable is cut: it reads open
    b.pass(minute);
    CHECK(b.count("door.forced") == 1);
    b.reacts = [](int) {};
    for (int i = 0; i < 4; ++i) {
        (void)b.enter(b.code("d1", 0));
        b.pass(9000);
        CHECK(code_of(b.last_answer) == "unknown_outcome");
    }
    CHECK(b.count("opening.unknown") == 4);
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
    CHECK(b.compartment(n).at("use").as_string() == "occupied");
    (void)b.enter(b.code("d1", 1));  // a new issue goes on
    b.pass(9000);
    CHECK(b.count("opening.unknown") == 5);
    CHECK(b.count("deposit.moved") == 0);
}

TEST_CASE("after unknown the code ends with its ten minutes") {
    bench b;
    const int n = b.put_in("d1");
    b.door(n, true);
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    b.pass(10 * minute + 9000);
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
}

TEST_CASE("without a contact one pulse, outcome unknown, and the person's word confirms") {
    bench b({.contact = contact_kind::none});
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.pass(9000);
    CHECK(b.pulses.size() == 1);
    CHECK(code_of(b.last_answer) == "unknown_outcome");
    CHECK(ok(b.command("confirm", {{"deposit", "d1"}})));
    CHECK(b.count("deposit.confirmed") == 1);
}

TEST_CASE("the line pulled after the pulse: unknown; back with the door open, its closing still counts") {
    bench b;
    b.reacts = [](int) {};
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.board(0, false);
    b.inputs &= ~1U;  // the door opens unseen
    b.pass(9000);
    CHECK(b.count("opening.unknown") == 1);
    CHECK(code_of(b.last_answer) == "unknown_outcome");  // the door may be open: look at it
    b.board(0, true);
    b.pass(2000);
    CHECK(b.count("door.forced") == 0);
    b.door(1, false);
    b.pass(1000);
    CHECK(b.count("deposit.deposited") == 1);
    CHECK(b.count("opening.opened") == 0);  // one outcome: unknown
}

TEST_CASE("at most three pulses, all within six seconds, and none after the authority's end") {
    bench b;
    b.reacts = [](int) {};
    b.config.rules.open_within = 1500;
    b.start();
    const int n = 1;
    (void)b.open({{"act", "open"}, {"cmp", n}});
    b.pass(9000);
    CHECK(b.pulses.size() == 3);
    for (const auto& p : b.pulses) {
        CHECK(p.not_after_ms <= b.now.mono_ms);
    }
    b.pulses.clear();
    const std::int64_t now_s = b.now.wall_ms / 1000;
    (void)b.open({{"act", "open"}, {"cmp", n}, {"iat", now_s}, {"exp", now_s + 1}});
    b.pass(9000);
    CHECK(b.pulses.size() == 1);
}

TEST_CASE("a lost board refuses before anything is authorised") {
    bench b;
    b.board(0, false);
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "board_lost");
    CHECK(b.count("opening.authorised") == 0);
    CHECK(b.retained.at("locker/v1/c1/alarm/board_lost/A") != "");
    b.board(0, true);
    CHECK(b.retained.at("locker/v1/c1/alarm/board_lost/A") == "");
    CHECK(b.count("board.lost") == 1);
    CHECK(b.count("board.recovered") == 1);
}

TEST_CASE("the ledger tells how long a board was away; one that comes and goes is told ever more rarely") {
    bench b;
    b.board(0, false);
    b.pass(90 * second);
    b.board(0, true);
    CHECK(b.last_event("board.recovered").at("out_ms").as_int64() == 90 * second);
    for (int i = 0; i < 600; ++i) {  // ten minutes of a bad plug
        b.board(0, false);
        b.pass(300);
        b.board(0, true);
        b.pass(700);
    }
    CHECK(b.count("board.lost") <= 15);
    CHECK(b.count("board.lost") >= 2);
    b.pass(2 * minute);
    CHECK(b.count("board.recovered") == b.count("board.lost"));
    CHECK(b.retained.at("locker/v1/c1/alarm/board_lost/A") == "");
}

TEST_CASE("somebody who comes back within the grace and finds the door jammed leaves the compartment suspected") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(2000);
    b.door(n, false);
    b.pass(1000);
    REQUIRE(b.count("deposit.retrieved") == 1);
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    CHECK(code_of(b.last_answer) == "jammed");
    CHECK(b.compartment(n).at("use").as_string() == "suspected");
}

TEST_CASE("a doubtful opening explains a door that opens soon after, not one that opens days later") {
    bench b;
    b.board(0, true);
    const int n = b.put_in("d1");
    b.line_says = pulse_result::unsure;
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    REQUIRE(b.count("opening.interrupted") == 1);
    b.door(n, true);
    b.pass(minute);
    CHECK(b.count("door.forced") == 0);
    b.door(n, false);
    b.pass(day);
    b.door(n, true);
    b.pass(minute);
    CHECK(b.count("door.forced") == 1);
}

TEST_CASE("after unknown, a door that was seen shut and is torn open is forced, and the papers stay their owner's") {
    bench b;
    const int n = b.put_in("d1");
    b.door(n, true);  // the cable is cut …
    b.pass(minute);
    REQUIRE(b.count("door.forced") == 1);
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    REQUIRE(b.count("opening.unknown") == 1);
    b.door(n, false);  // … and mended
    b.pass(1000);
    CHECK(b.compartment(n).at("door").as_string() == "closed");
    b.pass(minute);
    b.door(n, true);
    b.pass(4000);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.count("door.forced") == 2);
    CHECK(b.count("opening.closed") == 1);  // of putting in
    CHECK(b.count("deposit.retrieved") == 0);
}

TEST_CASE("a new opening takes over from one that ended unknown: one closing, one retrieval, its own") {
    bench b;
    const int n = b.put_in("d1");
    b.board(0, false);
    b.board(0, true);
    b.reacts = [&](int) { b.board(0, false); };
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    REQUIRE(b.count("opening.unknown") == 1);
    b.reacts = [&](int number) { b.door(number, true); };
    b.feed(board_report{0, true});
    b.feed(inputs_report{0, b.inputs, b.now.mono_ms});
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(3000);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.count("opening.closed") == 2);  // of putting in, and of this
    CHECK(b.count("deposit.retrieved") == 1);
    CHECK(b.last_event("deposit.retrieved").at("opening").as_int64() ==
          b.last_event("opening.opened").at("opening").as_int64());
}

TEST_CASE("a door first seen open after a gap: nobody knows for how long, so it is no bounce") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [&](int) { b.board(0, false); };
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    b.inputs &= ~(1U << static_cast<unsigned>(n - 1));
    b.board(0, true);
    b.pass(800);
    b.door(n, false);
    b.pass(1000);
    const auto closed = b.last_event("opening.closed");
    CHECK(closed.at("unseen").as_bool());
    CHECK(closed.if_contains("bounced") == nullptr);
    CHECK(b.count("deposit.retrieved") == 0);  // too short to know: it stays retrievable
}

TEST_CASE("a deposit whose door may have been open before does not move on when it jams") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.pass(500);
    b.door(1, false);  // bounced; who knows what was put in
    b.pass(2000);
    b.reacts = [](int) {};
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.pass(9000);
    CHECK(code_of(b.last_answer) == "jammed");
    CHECK(b.count("deposit.moved") == 0);
    CHECK(b.compartment(1).at("deposit").as_string() == "d1");
}

TEST_CASE("a door that stands open is busy, and is not pulsed") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "busy");
    CHECK(b.pulses.size() == 1);
}

TEST_CASE("a lock that must cool down is busy, not a lost board") {
    bench b;
    b.line_says = pulse_result::held_back;
    (void)b.open({{"act", "open"}, {"cmp", 1}});
    b.pass(9000);
    CHECK(code_of(b.last_answer) == "busy");
    CHECK(b.compartment(1).at("use").as_string() == "vacant");
}

TEST_CASE("a compartment whose opening jammed is suspected when its deposit ends") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    b.pass(9000);
    b.reacts = [&](int number) { b.door(number, true); };
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(3000);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.count("deposit.retrieved") == 1);
    CHECK(b.compartment(n).at("use").as_string() == "suspected");
}

TEST_CASE(
    "no word of anybody makes a jammed deposit a stored one; after unknown it does, and deposited is said first") {
    bench b({.doors = 1});
    b.reacts = [](int) {};
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.pass(9000);
    CHECK(code_of(b.command("confirm", {{"deposit", "d1"}})) == "wrong_state");
    bench c({.contact = contact_kind::none});
    (void)c.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    c.pass(9000);
    CHECK(ok(c.command("confirm", {{"deposit", "d1"}})));
    CHECK(c.count("deposit.deposited") == 1);
}

TEST_CASE("an open time is measured when it was read, however late it is dealt with") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    const auto at = b.now.mono_ms;
    b.now.mono_ms += 4000;  // a commit that stalls: reports wait
    b.now.wall_ms += 4000;
    const std::uint32_t bit = 1U << static_cast<unsigned>(n - 1);
    b.feed(inputs_report{0, b.inputs & ~bit, at + 200});
    b.feed(inputs_report{0, b.inputs, at + 2800});
    b.pass(1000);
    CHECK(b.last_event("opening.closed").at("open_ms").as_int64() == 2600);
    CHECK(b.count("deposit.retrieved") == 1);
}

TEST_CASE("a door seen open while its pulse is still ordered: the outcome waits for what the line says of the pulse") {
    bench b;
    const int n = b.put_in("d1");
    b.line_answers = false;
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    REQUIRE(b.pulses.size() == 2);
    b.door(n, true);  // torn open, or a contact that went bad, in this very moment
    CHECK(b.count("opening.opened") == 1);
    b.feed(pulse_report{b.pulses.back().opening, b.pulses.back().attempt, pulse_result::done});
    CHECK(b.count("opening.opened") == 2);
    CHECK(ok(b.last_answer));
}

TEST_CASE("two bounces in a row are no collection: who comes back before the door has rested waits for that moment") {
    bench b;
    const int n = b.put_in("d1");
    for (int i = 0; i < 2; ++i) {
        REQUIRE(ok(b.enter(b.code("d1", 0))));
        b.pass(900);
        b.door(n, false);
        b.pass(300);
        CHECK(code_of(b.enter(b.code("d1", 1))) == "busy");
        b.pass(1000);
    }
    CHECK(b.count("deposit.retrieved") == 0);
    CHECK(b.last_event("opening.closed").at("bounced").as_bool());
}

TEST_CASE("a quarantined lock is released by an opening of staff that works") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    for (int i = 0; i < 3; ++i) {
        (void)b.enter(b.code("d1", 0));
        b.pass(20 * second);
    }
    REQUIRE(b.compartment(n).at("lock").as_string() == "quarantined");
    b.reacts = [&](int number) { b.door(number, true); };
    CHECK(ok(b.open({{"act", "open"}, {"cmp", n}})));
    CHECK(b.count("lock.released") == 1);
    b.pass(2000);
    b.door(n, false);
    b.pass(2000);
    CHECK(b.count("opening.closed") == 2);
    CHECK(b.compartment(n).at("lock").as_string() == "ok");
    CHECK(b.compartment(n).at("use").as_string() == "occupied");
}

TEST_CASE("without a contact a settle is the staff's word") {
    bench b({.contact = contact_kind::none});
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "");
    b.pass(10 * second);
    CHECK(code_of(b.last_answer) == "unknown_outcome");
    REQUIRE(ok(b.command("confirm", {{"deposit", "d1"}})));
    (void)b.open({{"act", "settle"}, {"cmp", 1}, {"dep", "d1"}});
    b.pass(10 * second);
    CHECK(b.count("compartment.settled") == 1);
    CHECK(b.count("deposit.reclaimed") == 1);
    CHECK(b.compartment(1).at("use").as_string() == "vacant");
}

TEST_CASE("a door that is being opened is busy for everybody else") {
    bench b;
    b.line_answers = false;
    (void)b.open({{"act", "open"}, {"cmp", 1}});
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "busy");
    for (int n = 2; n <= 6; ++n) {
        (void)b.open({{"act", "open"}, {"cmp", n}});
    }
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 6}})) == "busy");
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "busy");
    CHECK(b.count("deposit.reserved") == 0);
}

TEST_CASE("a contact that chatters and never rests does not keep the owner out for ever") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(ok(b.open({{"act", "collect"}, {"dep", "d1"}})));
    std::string last = "busy";
    for (int i = 0; i < 400 && last == "busy"; ++i) {
        b.door(n, false);
        b.pass(850);
        last = code_of(b.open({{"act", "collect"}, {"dep", "d1"}}));
        b.door(n, true);
        b.pass(50);
    }
    CHECK(last.empty());
}

TEST_CASE("facts that came while something slow held everything up are known before a deadline is judged") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    const std::int64_t seen = b.now.mono_ms + 200;
    b.now.mono_ms += 4000;  // a commit elsewhere took so long
    b.now.wall_ms += 4000;
    b.inputs &= ~(1U << static_cast<unsigned>(n - 1));
    b.core->see(b.now, inputs_report{0, b.inputs, seen});
    b.feed(tick{});
    CHECK(b.count("opening.jammed") == 0);
    CHECK(b.count("opening.opened") == 2);
}
