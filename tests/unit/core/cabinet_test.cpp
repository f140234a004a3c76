// The main job in virtual time: intake, staff, return, code.
#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

TEST_CASE("the whole story, each step an event") {
    bench b;
    CHECK(ok(b.open({{"act", "deposit"}, {"dep", "in-1"}, {"kind", "intake"}, {"case", "case-7"}})));
    CHECK(b.compartment(1).at("use").as_string() == "reserved");
    b.pass(4000);
    b.door(1, false);
    b.pass(1000);
    CHECK(b.compartment(1).at("use").as_string() == "occupied");
    CHECK(ok(b.command("confirm", {{"deposit", "in-1"}})));
    CHECK(ok(b.open({{"act", "collect"}, {"dep", "in-1"}})));
    b.pass(4000);
    b.door(1, false);
    b.pass(1000);
    const int n = b.put_in("back-1");
    CHECK(n != 1);  // door 1 is in its grace
    CHECK(ok(b.command("confirm", {{"deposit", "back-1"}})));
    CHECK(ok(b.enter(b.code("back-1", 0))));
    b.pass(4000);
    b.door(n, false);
    b.pass(1000);
    const std::vector<std::string> wanted{
        "daemon.started",    "deposit.reserved",  "opening.authorised", "opening.opened", "opening.closed",
        "deposit.deposited", "deposit.confirmed", "opening.authorised", "opening.opened", "opening.closed",
        "deposit.retrieved", "deposit.reserved",  "opening.authorised", "opening.opened", "opening.closed",
        "deposit.deposited", "deposit.confirmed", "opening.authorised", "opening.opened", "opening.closed",
        "deposit.retrieved"};
    CHECK(b.events == wanted);
    CHECK(b.last_event("deposit.retrieved").at("by").as_string() == "code");
    CHECK(b.last_event("deposit.reserved").at("kind").as_string() == "return");
    CHECK(b.pulses.size() == 4);
}

TEST_CASE("a failing store keeps doors shut and says so; when it works again the failure is in the ledger") {
    bench b;
    b.put_in("d1");
    b.disk.fail = commit_error::full;
    const auto pulses = b.pulses.size();
    CHECK(code_of(b.enter(b.code("d1", 0))) == "storage_failed");
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d2"}, {"kind", "return"}})) == "storage_failed");
    CHECK(b.pulses.size() == pulses);
    CHECK(b.retained.at("locker/v1/c1/alarm/storage") != "");
    b.disk.fail = commit_error::none;
    CHECK(ok(b.enter(b.code("d1", 0))));
    CHECK(b.pulses.size() == pulses + 1);
    CHECK(b.count("storage.failed") == 1);
    CHECK(b.retained.at("locker/v1/c1/alarm/storage") == "");
}

TEST_CASE("a closing that could not be recorded is recorded when the store works again") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.pass(3000);
    b.disk.fail = commit_error::failed;
    b.door(1, false);
    b.pass(10'000);
    CHECK(b.count("deposit.deposited") == 0);
    b.disk.fail = commit_error::none;
    b.pass(2000);
    CHECK(b.count("deposit.deposited") == 1);
}

TEST_CASE("a reservation never pulsed expires; one whose door was pulsed does not, nor can it be cancelled") {
    bench b;
    b.line_says = pulse_result::not_sent;
    CHECK(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}}).empty());
    b.pass(10'000);
    CHECK(code_of(b.last_answer) == "board_lost");
    CHECK(b.count("opening.interrupted") == 1);
    b.pass(10 * minute);
    CHECK(b.count("deposit.expired") == 1);
    CHECK(b.compartment(1).at("use").as_string() == "vacant");
    CHECK(code_of(b.command("confirm", {{"deposit", "d1"}})) == "wrong_state");

    b.line_says = pulse_result::done;
    b.reacts = [](int) {};  // jams
    (void)b.open({{"act", "deposit"}, {"dep", "d2"}, {"kind", "return"}});
    b.pass(20'000);
    CHECK(b.count("opening.jammed") == 2);
    CHECK(code_of(b.command("cancel", {{"deposit", "d2"}})) == "wrong_state");
    b.pass(60 * minute);
    CHECK(b.count("deposit.expired") == 1);
}

TEST_CASE("a stale will or an alarm of an earlier run is mended") {
    bench b;
    b.feed(message{"locker/v1/c1/status", R"({"online":false})", true, "", ""});
    CHECK(b.published.back().topic == "locker/v1/c1/status");
    CHECK(b.published.back().payload.find("\"online\":true") != std::string::npos);
    b.feed(message{"locker/v1/c1/alarm/jammed/3", R"({"since":"x"})", true, "", ""});
    CHECK(b.published.back().topic == "locker/v1/c1/alarm/jammed/3");
    CHECK(b.published.back().payload.empty());
    const auto before = b.published.size();
    b.feed(message{"locker/v1/c1/status", b.retained.at("locker/v1/c1/status"), false, "", ""});
    CHECK(b.published.size() == before);
}

TEST_CASE("a cabinet never seen before knows each door at its first reading") {
    memory_store fresh;
    bench b;
    b.core = std::make_unique<cabinet>(b.config, fresh);
    b.feed(started{"epoch-x", b.boot, true});
    b.feed(broker_up{});
    CHECK(b.compartment(1).at("door").as_string() == "unknown");
    b.feed(inputs_report{0, b.inputs & ~2U, b.now.mono_ms});  // bit 1: door 2
    CHECK(b.compartment(1).at("door").as_string() == "closed");
    CHECK(b.compartment(2).at("door").as_string() == "open");
    b.door(1, true);
    b.pass(499);
    CHECK(b.compartment(1).at("door").as_string() == "closed");  // from now on things move, and take their time
}

TEST_CASE("a door opened without an opening is forced, and a vacant one suspected") {
    bench b;
    b.door(2, true);
    b.pass(400);
    CHECK(b.count("door.forced") == 0);  // a contact's glitch is no burglary
    b.pass(200);
    CHECK(b.count("door.forced") == 1);
    CHECK(b.compartment(2).at("use").as_string() == "suspected");
    CHECK(b.retained.at("locker/v1/c1/alarm/forced/2") != "");
    b.door(2, false);
    b.pass(1000);
    CHECK(ok(b.open({{"act", "settle"}, {"cmp", 2}})));
    b.pass(3000);
    b.door(2, false);
    b.pass(1000);
    CHECK(b.count("compartment.settled") == 1);
    CHECK(b.compartment(2).at("use").as_string() == "vacant");
    CHECK(b.retained.at("locker/v1/c1/alarm/forced/2") == "");
}

TEST_CASE("a door held open is said once, and its alarm ends when it is shut") {
    bench b;
    REQUIRE(ok(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})));
    b.pass(10 * minute);
    CHECK(b.count("door.held_open") == 1);
    CHECK(b.retained.at("locker/v1/c1/alarm/held_open/1") != "");
    b.door(1, false);
    b.pass(1000);
    CHECK(b.retained.at("locker/v1/c1/alarm/held_open/1") == "");
}
