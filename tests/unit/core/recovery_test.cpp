// Starts after a crash: doors are read before outcomes are given, nothing is pulsed.
#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

TEST_CASE("killed between T1 and the outcome: found open is opened, found shut is interrupted") {
    for (const bool found_open : {true, false}) {
        bench b;
        const int n = b.put_in("d1");
        b.line_answers = false;
        const std::string id = "twice";
        const std::string grant = b.grant({{"act", "collect"}, {"dep", "d1"}});
        CHECK(b.command("open", {}, grant, id).empty());
        const auto pulses = b.pulses.size();
        if (found_open) {
            b.inputs &= ~(1U << static_cast<unsigned>(n - 1));
        }
        b.reboot();
        b.pass(30'000);
        CHECK(b.pulses.size() == pulses);
        CHECK(b.count("door.forced") == 0);
        const auto event = b.last_event(found_open ? "opening.opened" : "opening.interrupted");
        REQUIRE(!event.empty());
        CHECK(event.at("recovered").as_bool());
        CHECK(b.count("deposit.retrieved") == 0);
        // the same command again gets the outcome, not a second opening
        const auto again = b.command("open", {}, grant, id);
        CHECK(ok(again) == found_open);
        CHECK(b.pulses.size() == pulses);
        if (found_open) {
            b.door(n, false);
            b.pass(1000);
            CHECK(b.count("deposit.retrieved") == 1);
        } else {
            b.line_answers = true;
            CHECK(ok(b.enter(b.code("d1", 0))));  // the same deposit's code may be presented
        }
    }
}

TEST_CASE("a door shut while lockerd was down: an intake counts, a collection seen open long enough too") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.inputs |= 1U;  // shut, nobody watches
    b.pass(100);
    b.start();
    b.pass(2000);
    CHECK(b.count("deposit.deposited") == 1);
    CHECK(b.last_event("opening.closed").at("unseen").as_bool());

    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(3000);
    CHECK(b.disk.hints == 1);
    b.inputs |= 1U;
    b.start();
    b.pass(2000);
    CHECK(b.count("deposit.retrieved") == 1);
}

TEST_CASE("a door shut behind a silent board counts for an intake, however soon") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.pass(300);
    b.board(0, false);
    b.inputs |= 1U;
    b.pass(300);
    b.board(0, true);
    b.pass(1000);
    CHECK(b.count("deposit.deposited") == 1);
    CHECK(b.last_event("opening.closed").at("unseen").as_bool());
}

TEST_CASE("a collection killed in its first moment and found shut: still there, its code spent, the door in doubt") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(200);
    b.inputs |= 1U << static_cast<unsigned>(n - 1);
    b.start();
    b.pass(2000);
    CHECK(b.count("deposit.retrieved") == 0);
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
    CHECK(ok(b.enter(b.code("d1", 1))));
    b.pass(2000);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.count("deposit.retrieved") == 1);
}

TEST_CASE("throttles, used grants and ended deposits survive starts and boots, whatever the clock does") {
    bench b;
    b.put_in("d1");
    for (int i = 0; i < 10; ++i) {
        CHECK(code_of(b.enter(b.code("d1", 20))) == "wrong_code");
    }
    const auto grant = b.grant({{"act", "open"}, {"cmp", 3}}, false);
    CHECK(ok(b.enter(grant)));
    b.start();
    CHECK(code_of(b.enter(b.code("d1", 0))) == "locked_out");
    b.clock_trusted = false;
    b.now.wall_ms += 400 * day;
    b.reboot();
    CHECK(code_of(b.enter(b.code("d1", 0))) == "locked_out");
    CHECK(code_of(b.enter(grant)) != "");
    b.pass(31 * minute);
    CHECK(ok(b.enter(b.code("d1", 0))));
}

TEST_CASE("across a boot a trusted clock refills") {
    bench b;
    b.put_in("d1");
    for (int i = 0; i < 10; ++i) {
        (void)b.enter(b.code("d1", 20));
    }
    b.now.wall_ms += 31 * minute;
    b.reboot();
    CHECK(ok(b.enter(b.code("d1", 0))));
}

TEST_CASE("judged time never goes below its floor") {
    bench b;
    const auto floor = b.now.wall_ms;
    b.put_in("d1");
    b.now.wall_ms -= 365 * day;
    b.start();
    CHECK(b.disk.ledger.back().wall_ms >= floor);
}

TEST_CASE("a compartment taken out of the configuration is forgotten; one that may hold something stops the start") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(n == 1);
    const auto whole = b.config;
    b.config.compartments.pop_back();
    b.start();
    CHECK(b.core->view().d.compartments.count(6) == 0);
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 5}})));
    b.config.compartments.erase(b.config.compartments.begin());
    CHECK_THROWS_WITH_AS(cabinet(b.config, b.disk), doctest::Contains("holds deposit d1"), std::runtime_error);
    b.config = whole;
    b.start();
    CHECK(ok(b.enter(b.code("d1", 0))));
}

TEST_CASE("a ledger whose end was cut off, or altered, raises an alarm at the next start and ever after") {
    for (const bool cut : {true, false}) {
        bench b;
        b.put_in("d1");
        b.start();
        CHECK(b.retained["locker/v1/c1/alarm/ledger"].empty());
        if (cut) {
            b.disk.ledger.pop_back();
        } else {
            b.disk.ledger[b.disk.ledger.size() - 3].data += " ";
        }
        b.start();
        CHECK(!b.retained["locker/v1/c1/alarm/ledger"].empty());
        b.start();
        CHECK(!b.retained["locker/v1/c1/alarm/ledger"].empty());
    }
}

TEST_CASE("a stop that cannot be recorded is told all the same") {
    bench b;
    b.disk.fail = commit_error::failed;
    b.feed(stop{});
    CHECK(b.retained.at("locker/v1/c1/status") == R"({"online":false})");
}

TEST_CASE("a door that was shut while nobody watched: its old opening ends before a new one begins") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.start();  // killed in between
    b.door(n, false);
    b.pass(500);
    (void)b.enter(b.code("d1", 1));
    b.pass(900);
    b.door(n, false);
    b.pass(2000);
    CHECK(b.count("deposit.retrieved") == 0);
    CHECK(ok(b.enter(b.code("d1", 1))));
}

TEST_CASE("two short openings across a gap of the contact's board are no long one") {
    bench b;
    b.config.boards = {"A", "B"};
    for (auto& c : b.config.compartments) {
        c.contact_board = 1;
    }
    bool seen = true;
    b.start();
    const auto say = [&] { b.feed(inputs_report{1, b.inputs, b.now.mono_ms}); };
    say();
    b.pass(1100);
    b.reacts = [&](int n) {
        b.inputs &= ~(1U << static_cast<unsigned>(n - 1));
        if (seen) {
            say();
        }
    };
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.pass(4000);
    b.inputs |= 1U;
    say();
    b.pass(2000);
    REQUIRE(b.count("deposit.deposited") == 1);

    REQUIRE(ok(b.open({{"act", "collect"}, {"dep", "d1"}})));
    b.pass(300);
    b.board(1, false);
    seen = false;
    b.inputs |= 1U;  // a spring door: open for 0.3 s, nobody sees it shut
    b.pass(5000);
    (void)b.open({{"act", "collect"}, {"dep", "d1"}});
    b.pass(200);
    b.board(1, true);
    b.pass(200);
    b.inputs |= 1U;  // open for 0.4 s
    say();
    b.pass(3000);
    CHECK(b.count("deposit.retrieved") == 0);
}

TEST_CASE("two short openings, one before a start and one before the contact was read, are no long one") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(300);
    b.inputs |= 1U << static_cast<unsigned>(n - 1);  // shut while lockerd is dead
    b.now.mono_ms += 5000;
    b.now.wall_ms += 5000;
    b.core = std::make_unique<cabinet>(b.config, b.disk);
    b.feed(started{"epoch-x", b.boot, b.clock_trusted});
    b.reacts = [&](int k) { b.inputs &= ~(1U << static_cast<unsigned>(k - 1)); };
    (void)b.enter(b.code("d1", 1));
    b.pass(50);
    b.feed(inputs_report{0, b.inputs, b.now.mono_ms});
    b.pass(300);
    b.door(n, false);
    b.pass(3000);
    CHECK(b.count("deposit.retrieved") == 0);
}

TEST_CASE("who asks first after the store was mended is judged by how things stand now") {
    bench b;
    const int n = b.put_in("d1");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(500);
    b.disk.fail = commit_error::failed;
    b.door(n, false);
    b.pass(600000);
    b.disk.fail = commit_error::none;
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "d1"}})) != "busy");
}
