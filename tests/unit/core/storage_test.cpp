// A store that fails: doors stay shut, facts are kept, what was missed is said when it works again.
#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

TEST_CASE("a commit that fails: no pulse, storage_failed, an alarm; it works again: the event, and no alarm") {
    bench b;
    b.disk.fail = commit_error::full;
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "storage_failed");
    CHECK(b.pulses.empty());
    CHECK(!b.retained["locker/v1/c1/alarm/storage"].empty());
    b.pass(10 * second);
    CHECK(ok(b.command("snapshot", {})));  // what only reads is answered
    b.disk.fail = commit_error::none;
    b.pass(2 * second);  // nobody asks for anything: it is tried all the same
    CHECK(b.count("storage.failed") == 1);
    CHECK(b.retained["locker/v1/c1/alarm/storage"].empty());
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    CHECK(b.count("storage.failed") == 1);
}

TEST_CASE(
    "the line's report is a fact: a door pulsed while the store fails leaves suspicion, not a vacant compartment") {
    bench b;
    b.line_answers = false;
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    REQUIRE(b.pulses.size() == 1);
    b.disk.fail = commit_error::failed;
    (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});  // the store is known to fail
    b.feed(pulse_report{b.pulses[0].opening, 1, pulse_result::done});
    b.board(0, false);
    b.pass(8000);
    b.disk.fail = commit_error::none;
    b.pass(hour);
    CHECK(b.count("deposit.expired") == 0);
    CHECK(b.compartment(1).at("use").as_string() == "reserved");
    CHECK(b.count("board.lost") == 1);  // said when it could be
}

TEST_CASE("a line that never reports: the coil may have been on") {
    bench b;
    b.line_answers = false;
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.pass(hour);
    CHECK(b.count("opening.interrupted") == 1);
    CHECK(b.count("deposit.expired") == 0);
}

TEST_CASE("an outcome that cannot be recorded: no second pulse, and the truth once it can") {
    bench b;
    b.line_answers = false;
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.feed(pulse_report{b.pulses[0].opening, 1, pulse_result::done});
    b.disk.fail = commit_error::failed;
    b.door(1, true);
    b.pass(2000);
    b.door(1, false);
    b.pass(8000);
    CHECK(b.pulses.size() == 1);
    b.disk.fail = commit_error::none;
    b.pass(2000);
    CHECK(b.count("opening.opened") == 1);
    CHECK(b.count("opening.jammed") == 0);
    CHECK(b.last_event("opening.closed").at("open_ms").as_int64() == 2000);
    CHECK(b.count("deposit.deposited") == 1);
}

TEST_CASE("a start that cannot be recorded is tried again, refuses meanwhile, and then reads doors as any start does") {
    bench b;
    b.line_answers = false;
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    b.inputs &= ~1U;  // the door opens as the power goes
    b.disk.fail = commit_error::failed;
    b.reboot();
    CHECK(b.count("daemon.started") == 1);
    CHECK(code_of(b.enter(b.code("d1", 0))) == "storage_failed");
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "storage_failed");
    b.disk.fail = commit_error::none;
    b.pass(3000);
    CHECK(b.count("daemon.started") == 2);
    CHECK(b.last_event("opening.opened").at("recovered").as_bool());
    CHECK(b.retained.at("locker/v1/c1/compartment/1").find("\"open\"") != std::string::npos);
}

TEST_CASE("timers go on after the store was mended: a door held open is told") {
    bench b;
    (void)b.open({{"act", "open"}, {"cmp", 1}});
    b.disk.fail = commit_error::failed;
    (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});
    b.disk.fail = commit_error::none;
    b.pass(10 * minute);
    CHECK(b.count("door.held_open") == 1);
}

TEST_CASE("when space is low deposits are refused first, retrievals go on") {
    bench b;
    b.put_in("d1");
    b.feed(space_report{true});
    CHECK(b.count("storage.low") == 1);
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d2"}, {"kind", "return"}})) == "storage_failed");
    CHECK(ok(b.enter(b.code("d1", 0))));
}

TEST_CASE("nothing is begun after the stop") {
    bench b;
    b.feed(stop{});
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "busy");
    CHECK(b.pulses.empty());
}

TEST_CASE("a deadline that passes while the store fails is looked at when it is tried again, not in a busy loop") {
    bench b;
    b.disk.fail = commit_error::full;
    (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});
    b.pass(1200);     // tried once more
    b.door(1, true);  // forced: said half a second later
    b.pass(600);
    CHECK(b.core->wake_at() > b.now.mono_ms);
}

TEST_CASE("what cannot be read opens nothing; it is tried again when it can") {
    bench b;
    const int n = b.put_in("d1");
    b.disk.unreadable = true;
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "storage_failed");
    b.door(n, true);  // forced: recorded, but the outbox cannot read it back
    b.pass(second);
    CHECK(b.pulses.size() == 1);
    b.disk.unreadable = false;
    b.pass(5 * second);
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 2}})));
}

TEST_CASE("a state row that cannot be read stops the start with its kind") {
    bench whole;
    whole.put_in("d1");
    REQUIRE(ok(whole.enter(whole.code("d1", 0))));
    (void)whole.enter(whole.code("d1", 9));
    for (const auto* kind : {"meta", "compartment", "deposit", "opening", "throttle"}) {
        REQUIRE(!whole.disk.kinds[kind].empty());
        for (const auto* text :
             {"{", "[]",
              R"({"state":"none","result":"none","lock":"none","head":"00","since":"x","charged_ms":"x","age":"x"})"}) {
            memory_store damaged = whole.disk;
            damaged.kinds[kind].begin()->second = text;
            CHECK_THROWS_WITH_AS(cabinet(whole.config, damaged), doctest::Contains(kind), archive_error);
        }
    }
    memory_store headless = whole.disk;
    headless.kinds["meta"].begin()->second = R"({"head":"00"})";
    CHECK_THROWS_WITH_AS(cabinet(whole.config, headless), doctest::Contains("head"), archive_error);
    memory_store damaged = whole.disk;
    damaged.kinds["opening"]["x"] = damaged.kinds["opening"].begin()->second;
    CHECK_THROWS_AS(cabinet(whole.config, damaged), archive_error);
}

TEST_CASE("a failing store: no wrong code is judged without its charge, no read sends a pulse") {
    bench b;
    b.put_in("d1");
    SUBCASE("charge") {
        for (int i = 0; i < 20; ++i) {
            (void)b.enter("99#" + b.code("d1", 0));
        }
        b.disk.fail = commit_error::failed;
        (void)b.enter(b.code("none", 0));
        int judged = 0;
        for (int i = 0; i < 500; ++i) {
            judged += code_of(b.enter(b.code("none", static_cast<std::uint64_t>(i)))) == "wrong_code" ? 1 : 0;
        }
        b.disk.fail = commit_error::none;
        CHECK(judged == 0);
    }
    SUBCASE("pulses") {
        b.pulses.clear();
        b.reacts = [](int) {};
        (void)b.open({{"act", "open"}, {"cmp", 5}});
        REQUIRE(b.pulses.size() == 1);
        b.disk.fail = commit_error::failed;
        (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});
        b.pass(2600);
        for (int i = 0; i < 10; ++i) {
            (void)b.command("snapshot", {});
        }
        CHECK(b.pulses.size() <= 3);
    }
}

TEST_CASE("a failing store: what would have to be kept is not called done") {
    bench b;
    b.config.rules.pairs = two_persons::always;
    b.start();
    b.disk.fail = commit_error::failed;
    (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});
    CHECK(code_of(b.command("ack", {{"sequence", 1}})) == "storage_failed");
    CHECK(code_of(b.enter(b.grant({{"act", "open"}, {"cmp", 4}, {"sub", "a"}}, false))) == "storage_failed");
    CHECK(ok(b.command("snapshot", {})));
    b.disk.fail = commit_error::none;
    CHECK(ok(b.command("ack", {{"sequence", 1}})));
}

TEST_CASE("a charge is never a hint: it is synced before its answer shows") {
    bench b;
    b.put_in("d1");
    (void)b.open({{"act", "open"}, {"cmp", 5}});  // its door opens
    b.now.mono_ms += 1000;
    b.now.wall_ms += 1000;
    for (int i = 0; i < 40; ++i) {
        (void)b.enter("99#" + b.code("d1", 0));
    }
    b.now.mono_ms += 500;
    b.now.wall_ms += 500;  // the tick is due, and the code comes first
    const auto hints = b.disk.hints;
    CHECK(code_of(b.enter(b.code("none", 1))) == "wrong_code");
    CHECK(b.disk.hints == hints);
}
