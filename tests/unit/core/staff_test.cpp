#include <doctest/doctest.h>

#include "protocol/code.hpp"
#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

using boost::json::array;
using boost::json::object;

object collector(std::string_view number) {
    return member(number, {"collect_intake", "deposit_return", "settle", "move"});
}

int door_of(const object& reply) {
    return static_cast<int>(reply.at("result").at("compartment").as_int64());
}

std::string wrong_staff_code(const bench& b, std::string_view number) {
    auto code = b.staff_code(number);
    code.back() = code.back() == '0' ? '1' : '0';
    return code;
}

}  // namespace

TEST_CASE("a staff code opens a session; its worklist goes door by door; idle ends it") {
    bench b({.doors = 8});
    REQUIRE(ok(b.staff({collector("4711")})));
    CHECK(code_of(b.enter("list")) == "not_permitted");
    for (const auto* id : {"d1", "d2", "d3"}) {
        b.put_in(id, "intake");
        CHECK(ok(b.command("confirm", {{"deposit", id}})));
    }
    const int late = b.put_in("d4", "intake");
    b.pass(31 * minute);
    const auto in = b.enter(b.staff_code("4711"));
    REQUIRE(ok(in));
    CHECK(b.last_event("staff.signed_in").at("by").as_string() == "staff:4711");
    const auto& list = in.at("result").at("worklist").as_object();
    CHECK(list.at("collect").as_array().size() == 3);
    CHECK(list.at("unconfirmed").as_array()[0].at("compartment").as_int64() == late);
    CHECK(std::string(list.at("message").as_string()).find("3 deposits wait: 1, 2, 3; 1 unconfirmed: 4") !=
          std::string::npos);
    for (int i = 0; i < 4; ++i) {
        const auto next = b.enter("next");
        REQUIRE(ok(next));
        shut(b, door_of(next));
    }
    CHECK(b.count("deposit.retrieved") == 4);
    CHECK(b.last_event("deposit.retrieved").at("by").as_string() == "staff:4711");
    CHECK(code_of(b.enter("next")) == "wrong_state");
    const auto back = b.enter("return r1 case=c-1 size=S");
    REQUIRE(ok(back));
    shut(b, door_of(back));
    CHECK(code_of(b.enter("fly")) == "malformed");
    CHECK(code_of(b.enter("open")) == "malformed");
    CHECK(ok(b.enter("confirm r1")));
    CHECK(b.last_event("deposit.confirmed").at("case").as_string() == "c-1");
    CHECK(ok(b.enter(b.code("r1", 0))));  // a resident's code goes on working at this keypad
    b.pass(5 * minute);
    CHECK(b.last_event("staff.signed_out").at("reason").as_string() == "idle");
    CHECK(code_of(b.enter("next")) == "not_permitted");
}

TEST_CASE("an opening with a reason is maintenance: what lies there stays where it is") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711"), member("4712", {"maintain"}), member("4713", {"open_any"})})));
    const int n = b.put_in("d1", "intake");
    REQUIRE(ok(b.command("confirm", {{"deposit", "d1"}})));
    const auto reasoned = "open " + std::to_string(n) + " the hinge squeaks";
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    CHECK(code_of(b.enter(reasoned)) == "not_permitted");  // who collects does not by accident
    REQUIRE(ok(b.enter(b.staff_code("4712"))));
    CHECK(code_of(b.enter(reasoned)) == "not_permitted");
    REQUIRE(ok(b.enter(b.staff_code("4713"))));
    REQUIRE(ok(b.enter(reasoned)));
    CHECK(b.last_event("opening.authorised").at("purpose").as_string() == "open");
    CHECK(b.last_event("opening.authorised").at("reason").as_string() == "the hinge squeaks");
    shut(b, n);
    CHECK(b.count("deposit.retrieved") == 0);
    CHECK(b.compartment(n).at("use").as_string() == "occupied");
}

TEST_CASE("a forced door with papers behind it is looked into; then the owner's code opens it, then it is suspected") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    const int n = b.put_in("d1");
    b.pass(minute);
    b.door(n, true);
    b.pass(second);
    REQUIRE(b.count("door.forced") == 1);
    b.door(n, false);
    b.pass(2 * second);
    const auto in = b.enter(b.staff_code("4711"));
    CHECK(in.at("result").at("worklist").at("forced") == boost::json::array{n});
    SUBCASE("staff look: the alarm ends, the deposit stays, the doubt too") {
        CHECK(code_of(b.enter("next")) == "wrong_state");  // nothing here is to be carried away
        REQUIRE(ok(b.enter("settle " + std::to_string(n))));
        CHECK(b.last_event("opening.authorised").at("purpose").as_string() == "open");
        shut(b, n);
        CHECK(b.retained["locker/v1/c1/alarm/forced/" + std::to_string(n)].empty());
        CHECK(b.enter("list").at("result").at("worklist").at("forced").as_array().empty());
        b.pass(30 * second);
    }
    SUBCASE("the owner comes first: the alarm stays until somebody was sent") {}
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    shut(b, n);
    CHECK(b.count("deposit.retrieved") == 1);
    CHECK(b.compartment(n).at("use").as_string() == "suspected");
    REQUIRE(ok(b.enter("settle " + std::to_string(n))));
    shut(b, n);
    CHECK(b.compartment(n).at("use").as_string() == "vacant");
    CHECK(b.retained["locker/v1/c1/alarm/forced/" + std::to_string(n)].empty());
}

TEST_CASE("a session that is kept busy ends with the shift all the same") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    for (int i = 0; i < 12 * 15 - 1; ++i) {
        b.pass(4 * minute);
        REQUIRE(ok(b.enter("list")));
    }
    b.pass(4 * minute);
    CHECK(b.last_event("staff.signed_out").at("reason").as_string() == "its shift is over");
    CHECK(code_of(b.enter("list")) == "not_permitted");
}

TEST_CASE("sessions live at one terminal, and end by out, by another, by the terminal's end, by the roster") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711"), collector("4712")})));
    REQUIRE(ok(b.enter(b.staff_code("4711"), entry_via::socket, 7)));
    CHECK(code_of(b.enter("list", entry_via::socket, 8)) == "not_permitted");
    CHECK(ok(b.enter("list", entry_via::socket, 7)));
    REQUIRE(ok(b.enter(b.staff_code("4712"), entry_via::socket, 7)));
    CHECK(b.last_event("staff.signed_out").at("staff").as_string() == "4711");
    CHECK(ok(b.enter("out", entry_via::socket, 7)));
    CHECK(code_of(b.enter("list", entry_via::socket, 7)) == "not_permitted");
    b.pass(30 * second);
    REQUIRE(ok(b.enter(b.staff_code("4711"), entry_via::socket, 7)));
    b.feed(terminal_gone{7});
    CHECK(b.last_event("staff.signed_out").at("reason").as_string() == "gone");
    b.pass(30 * second);
    REQUIRE(ok(b.enter(b.staff_code("4711"), entry_via::socket, 9)));
    REQUIRE(ok(b.staff({collector("4712")})));
    CHECK(b.last_event("staff.signed_out").at("reason").as_string() == "not in the roster any more");
    CHECK(code_of(b.enter("list", entry_via::socket, 9)) == "not_permitted");
    CHECK(b.count("staff.signed_in") == b.count("staff.signed_out"));
}

TEST_CASE("each step's code is good once, one step early and late, also after a restart") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711"), collector("4712")})));
    b.now.wall_ms += 15'000 - b.now.wall_ms % 30'000;
    const auto code = b.staff_code("4711");
    REQUIRE(ok(b.enter(code)));
    CHECK(code_of(b.enter(code)) == "replayed");
    b.start();
    CHECK(code_of(b.enter(code)) == "replayed");
    b.reboot();
    CHECK(code_of(b.enter(code)) == "replayed");
    CHECK(ok(b.enter(b.staff_code("4711", 1))));
    CHECK(ok(b.enter(b.staff_code("4711", -1))));
    CHECK(code_of(b.enter(b.staff_code("4711", -2))) == "wrong_code");
    CHECK(code_of(b.enter(b.staff_code("4711", 2))) == "wrong_code");
    CHECK(ok(b.enter(b.staff_code("4712"))));  // every number has its own
}

TEST_CASE("a role permits what it lists, and nothing else") {
    bench b({.doors = 8});
    REQUIRE(ok(b.staff({member("1001", {"collect_intake"}), member("1002", {"deposit_return"}),
                        member("1003", {"maintain"}), member("1004", {"open_any"}), member("1005", {"settle"}),
                        member("1006", {"reclaim_overdue"}), member("1007", {"move"})})));
    const int intake = b.put_in("in", "intake");
    const int back = b.put_in("out", "return");
    const int free = 8;
    const auto as = [&](std::string_view number, const std::string& line) {
        b.pass(30 * second);
        REQUIRE(ok(b.enter(b.staff_code(number))));
        const auto reply = b.enter(line);
        if (ok(reply) && reply.at("result").as_object().contains("compartment") &&
            reply.at("result").as_object().contains("opening")) {
            b.pass(500);
            b.door(door_of(reply), false);  // a bounce: it changes nothing
            b.pass(2000);
        }
        return code_of(reply);
    };
    const auto n = [](int door) { return std::to_string(door); };
    CHECK(as("1001", n(intake)) == "");
    CHECK(as("1001", n(back)) == "not_permitted");
    CHECK(as("1001", n(free)) == "not_permitted");
    CHECK(as("1001", "settle " + n(free)) == "not_permitted");
    CHECK(as("1001", "reclaim " + n(back)) == "not_permitted");
    CHECK(as("1001", "return x") == "not_permitted");
    CHECK(as("1001", "confirm out") == "not_permitted");
    CHECK(as("1001", "move out 8") == "not_permitted");
    CHECK(as("1001", "open 99") == "unknown_compartment");
    CHECK(as("1002", n(intake)) == "not_permitted");
    CHECK(as("1002", "return out") == "");  // put in again what is not confirmed yet
    CHECK(as("1002", "return in") == "wrong_state");
    CHECK(as("1003", n(free)) == "");
    CHECK(as("1003", n(intake)) == "not_permitted");
    CHECK(as("1004", n(free)) == "");
    CHECK(as("1004", n(intake)) == "");
    CHECK(as("1004", n(back)) == "");
    CHECK(as("1005", n(free)) == "not_permitted");
    CHECK(as("1005", "settle " + n(free)) == "wrong_state");
    CHECK(as("1006", "reclaim " + n(back)) == "wrong_state");
    CHECK(as("1007", "move out 8") == "");
    CHECK(b.last_event("credential.refused").at("staff").as_string() == "1006");
    CHECK(b.count("deposit.retrieved") == 0);
    CHECK(as("1005", "settle " + n(back)) == "");  // it is suspected since
    CHECK(as("1004", n(8)) == "");                 // … and the papers lie here now
}

TEST_CASE("ten wrong codes in a row suspend the number, doubling; time, a grant and ops end it") {
    bench b({.doors = 4});
    REQUIRE(ok(b.staff({collector("4711"), collector("4712")})));
    const auto suspend = [&] {
        for (int i = 0; i < 10; ++i) {
            b.pass(31 * minute);  // the keypad's own bucket refills meanwhile
            CHECK(code_of(b.enter(wrong_staff_code(b, "4711"))) == "wrong_code");
        }
        b.pass(30 * second);
    };
    suspend();
    CHECK(b.count("credential.suspended") == 1);
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "suspended");
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}, {"sub", "g-4711"}})) == "suspended");
    CHECK(ok(b.enter(b.staff_code("4712"))));
    b.reboot();
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "suspended");
    b.pass(15 * minute);
    b.pass(35 * minute);
    CHECK(ok(b.enter(b.staff_code("4711"))));  // a success: the next suspension begins at 15 min again
    suspend();
    b.pass(13 * minute);
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "suspended");
    b.pass(31 * minute);
    suspend();
    b.pass(25 * minute);  // twice as long now
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "suspended");
    CHECK(ok(b.open({{"act", "staff"}, {"sub", "g-4711"}})));
    CHECK(b.last_event("credential.suspended").at("reason").as_string() == "lifted");
    CHECK(ok(b.enter(b.staff_code("4711"))));
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 1}, {"sub", "g-4711"}})));
    suspend();
    b.feed(ops_order{900, ops_order::deed::lift_suspension, "4711"});
    CHECK(ok(b.last_answer));
    CHECK(ok(b.enter(b.staff_code("4711"))));
    b.feed(ops_order{901, ops_order::deed::lift_suspension, "9999"});
    CHECK(code_of(b.last_answer) == "not_permitted");
}

TEST_CASE("who is suspended by the roster stays so until a later roster") {
    bench b;
    auto m = collector("4711");
    REQUIRE(ok(b.staff({m})));
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    m["suspended"] = true;
    REQUIRE(ok(b.staff({m})));
    CHECK(b.last_event("staff.signed_out").at("reason").as_string() == "suspended");
    CHECK(code_of(b.open({{"act", "staff"}, {"sub", "4711"}})) == "suspended");
    CHECK(code_of(b.enter(b.staff_code("4711", 1))) == "suspended");
    m["suspended"] = false;
    REQUIRE(ok(b.staff({m})));
    CHECK(ok(b.enter(b.staff_code("4711", 1))));
}

TEST_CASE("wrong staff codes and unknown numbers empty the keypad's bucket; staff codes are locked out with it") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    for (int i = 0; i < 5; ++i) {
        CHECK(code_of(b.enter("9999#000000")) == "wrong_code");
        CHECK(b.last_event("credential.refused").contains("staff") == false);
        CHECK(code_of(b.enter(b.code("none", static_cast<std::uint64_t>(i)))) == "wrong_code");
    }
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "locked_out");
    CHECK(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "4711"}}, false))));
    CHECK(ok(b.enter("list")));  // the session goes on at a locked-out keypad
}

TEST_CASE("with an untrusted clock staff show a grant; it signs in") {
    bench b({.clock_trusted = false});
    REQUIRE(ok(b.staff({collector("4711")})));
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "clock_untrusted");
    CHECK(b.core->view().d.throttles.at("front").fast.debt == 0);
    CHECK(code_of(b.enter(b.grant({{"act", "staff"}, {"sub", "nobody"}}, false))) == "not_permitted");
    CHECK(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "g-4711"}}, false))));
    CHECK(std::string(b.last_event("staff.signed_in").at("by").as_string()).starts_with("grant:"));
    CHECK(b.last_event("staff.signed_in").at("staff").as_string() == "4711");
    CHECK(ok(b.enter("list")));
}

TEST_CASE("a clock far below the floor tells no TOTP") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    b.now.wall_ms -= 2 * minute;
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "clock_untrusted");
    CHECK(b.count("clock.stepped") == 1);
    CHECK(b.last_event("clock.stepped").at("step_ms").as_int64() < -minute);
}

TEST_CASE("two generations of the cabinet key: codes of either are good, then only of the new") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    b.put_in("d1");
    b.put_in("d2");
    const auto old_code = b.code("d1", 0);
    const auto old_staff = b.staff_code("4711");
    const secret256 before = b.config.cabinet_keys.front();
    key256 fresh{};
    fresh.fill(0x17);
    b.config.cabinet_keys = {secret256(fresh), before};
    b.start();
    CHECK(ok(b.enter(old_staff)));
    b.pass(30 * second);
    CHECK(ok(b.enter(b.staff_code("4711"))));
    CHECK(ok(b.enter(old_code)));
    const auto late = pickup_code(deposit_key(before, "d2"), 0);
    CHECK(b.count("compartment.suspected") == 0);
    b.config.cabinet_keys = {secret256(fresh)};
    b.start();
    CHECK(code_of(b.enter(late)) == "wrong_code");
    CHECK(ok(b.enter(b.code("d2", 0))));
    CHECK(b.count("compartment.suspected") == 0);
}

TEST_CASE("a database that knows none of the keys was restored: every compartment is suspected, door by door settled") {
    bench b({.doors = 3});
    REQUIRE(ok(b.staff({collector("4711")})));
    const int n = b.put_in("d1");
    key256 fresh{};
    fresh.fill(0x17);
    b.config.cabinet_keys = {secret256(fresh)};
    b.start();
    CHECK(b.count("compartment.suspected") == 3);
    b.start();
    CHECK(b.count("compartment.suspected") == 3);
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d2"}, {"kind", "return"}})) == "no_vacancy");
    CHECK(ok(b.enter(b.code("d1", 0))));  // what is known is still given to its owner
    shut(b, n);
    CHECK(b.compartment(n).at("use").as_string() == "suspected");
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    for (int i = 0; i < 3; ++i) {
        const auto next = b.enter("next");
        REQUIRE(ok(next));
        shut(b, door_of(next));
    }
    CHECK(b.count("compartment.settled") == 3);
    CHECK(ok(b.open({{"act", "deposit"}, {"dep", "d2"}, {"kind", "return"}})));
}

TEST_CASE("ops may call every compartment suspected; a database of another cabinet is refused") {
    bench b({.doors = 3});
    b.feed(ops_order{1, ops_order::deed::suspect_all, "board replaced"});
    CHECK(ok(b.last_answer));
    CHECK(b.count("compartment.suspected") == 3);
    b.config.id = "c2";
    CHECK_THROWS_WITH_AS(b.start(), doctest::Contains("of cabinet c1"), std::runtime_error);
}

TEST_CASE("papers that nobody fetched go into custody; their code is answered with a sentence") {
    bench b;
    b.config.rules.overdue_return = 2 * day;
    b.start();
    REQUIRE(ok(b.staff({member("4711", {"reclaim_overdue"})})));
    const int n = b.put_in("d1");
    b.pass(1 * day + minute);
    CHECK(b.count("deposit.reminder") == 1);
    b.pass(1 * day);
    CHECK(b.count("deposit.reminder") == 2);
    CHECK(b.last_event("deposit.reminder").at("count").as_int64() == 2);
    CHECK(b.count("deposit.overdue") == 1);
    const auto in = b.enter(b.staff_code("4711"));
    REQUIRE(ok(in));
    CHECK(in.at("result").at("worklist").at("overdue").as_array().size() == 1);
    REQUIRE(ok(b.enter("reclaim " + std::to_string(n))));
    shut(b, n);
    CHECK(b.last_event("deposit.reclaimed").at("by").as_string() == "staff:4711");
    CHECK(b.compartment(n).at("use").as_string() == "vacant");
    b.start();
    const auto told = b.enter(b.code("d1", 0));
    CHECK(code_of(told) == "wrong_state");
    CHECK(std::string(told.at("error").at("message").as_string()).find("with the staff now") != std::string::npos);
    CHECK(b.core->view().d.throttles.at("front").fast.debt == 0);
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "d1"}})) == "wrong_state");
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "wrong_state");
    b.pass(31 * day);
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
}

TEST_CASE("a session that a grant began ends with that grant's revocation, or its key's") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    REQUIRE(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "g-4711"}}, false))));
    b.pass(2000);
    REQUIRE(ok(b.open({{"act", "revoke"}})));
    CHECK(b.last_event("staff.signed_out").at("reason").as_string() == "its grant was revoked");
    CHECK(code_of(b.enter("list")) == "not_permitted");
    REQUIRE(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "g-4711"}}, false))));
    REQUIRE(ok(b.command("keys", {},
                         b.signed_by("root", root_seed_hex, {{"act", "keys"}, {"version", 2}, {"keys", array()}}))));
    CHECK(code_of(b.enter("list")) == "not_permitted");
}

TEST_CASE("a used step is known however the clock goes back, also where the floor stands still") {
    bench b;
    REQUIRE(ok(b.staff({collector("4711")})));
    b.now.wall_ms += 3 * day;  // no iat agrees: the floor waits
    b.now.wall_ms += 15'000 - b.now.wall_ms % 30'000;
    b.pass(1000);
    const auto seen = b.staff_code("4711");
    const auto at = b.now.wall_ms;
    REQUIRE(ok(b.enter(seen)));
    b.pass(10 * minute);
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    b.now.wall_ms = at;
    b.pass(1);
    CHECK(code_of(b.enter(seen)) == "replayed");
    b.start();
    CHECK(code_of(b.enter(seen)) == "replayed");
}

TEST_CASE("where two persons are wanted, who moves a deposit does not settle its old door alone") {
    bench b({.doors = 8});
    b.config.rules.pairs = two_persons::occupied;
    b.start();
    REQUIRE(ok(b.staff({collector("4711")})));
    const int n = b.put_in("r1", "return");
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    CHECK(code_of(b.enter(std::to_string(n))) == "not_permitted");
    CHECK(ok(b.enter("move r1 8")));
    CHECK(code_of(b.enter(std::to_string(n))) == "not_permitted");
    CHECK(code_of(b.enter("settle " + std::to_string(n))) == "not_permitted");
}

TEST_CASE("who moves does not settle alone, whatever the door was suspected of before") {
    bench b({.doors = 8});
    b.config.rules.pairs = two_persons::occupied;
    b.start();
    REQUIRE(ok(b.staff({member("4711", {"settle", "move"})})));
    const int n = b.put_in("r1", "return");
    b.feed(ops_order{1, ops_order::deed::suspect_all, "board replaced"});
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    CHECK(code_of(b.enter(std::to_string(n))) == "not_permitted");
    CHECK(ok(b.enter("move r1 8")));
    CHECK(code_of(b.enter("settle " + std::to_string(n))) == "not_permitted");
}

TEST_CASE("settling the old door of a move takes two grants for settle, where pairs are wanted") {
    bench b({.doors = 8});
    b.config.rules.pairs = two_persons::occupied;
    b.start();
    const int n = b.put_in("r1", "return");
    REQUIRE(ok(b.open({{"act", "move"}, {"dep", "r1"}, {"cmp", 8}})));
    const auto by = [&](std::string_view who) { return b.grant({{"act", "settle"}, {"cmp", n}, {"sub", who}}); };
    CHECK(code_of(b.command("open", {}, by("a"))) == "not_permitted");
    REQUIRE(ok(b.command("open", {{"second_grant", by("b")}}, by("a"))));
    shut(b, n);
    CHECK(b.count("compartment.settled") == 1);
}

TEST_CASE("next: passes over what one person may not open, takes what is overdue last, and is no refusal at the end") {
    bench b({.doors = 8});
    b.config.rules.pairs = two_persons::occupied;
    b.start();
    REQUIRE(ok(b.staff({member("4711", {"settle", "move", "reclaim_overdue"})})));
    const int n = b.put_in("r1", "return");
    REQUIRE(ok(b.open({{"act", "move"}, {"dep", "r1"}, {"cmp", 8}})));
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    CHECK(std::string(b.enter("next").at("error").at("message").as_string()).find("settle grants") !=
          std::string::npos);
    b.enter("out");
    b.pass(8 * day);
    REQUIRE(ok(b.enter(b.staff_code("4711"))));
    const auto reclaimed = b.enter("next");
    REQUIRE(ok(reclaimed));
    CHECK(door_of(reclaimed) == 8);
    shut(b, 8);
    CHECK(b.count("deposit.reclaimed") == 1);
    CHECK(b.retained["locker/v1/c1/alarm/overdue/8"].empty());
    for (const auto* who : {"a", "b"}) {
        (void)b.enter(b.grant({{"act", "settle"}, {"cmp", n}, {"sub", who}}, false));
    }
    shut(b, n);
    const auto refusals = b.count("credential.refused");
    CHECK(code_of(b.enter("next")) == "wrong_state");
    CHECK(b.count("credential.refused") == refusals);
}

TEST_CASE("what the office suspended, ops do not lift") {
    bench b;
    auto m = member("4711", {"maintain"});
    m["suspended"] = true;
    REQUIRE(ok(b.staff({m})));
    b.feed(ops_order{1, ops_order::deed::lift_suspension, "4711"});
    CHECK(code_of(b.last_answer) == "suspended");
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "suspended");
}

TEST_CASE("a number that is given to somebody else ends the session of the one before") {
    bench b;
    REQUIRE(ok(b.staff({{{"number", "4711"}, {"sub", "old"}, {"permits", array{"maintain"}}}})));
    REQUIRE(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "old"}}, false))));
    REQUIRE(ok(b.staff({{{"number", "4711"}, {"sub", "new"}, {"permits", array{"open_any"}}}})));
    CHECK(code_of(b.enter("5")) == "malformed");  // no code; nobody is signed in any more
}
