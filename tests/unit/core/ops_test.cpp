// What ops order on the board.
#include <doctest/doctest.h>

#include "protocol/code.hpp"
#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

std::string signed_record(const bench& b, const std::string& record) {
    const auto signature = to_hex(wiring_signature(b.config.cabinet_keys.front(), record));
    return boost::json::serialize(boost::json::object{{"record", record}, {"signature", signature}});
}

std::string refused_with(bench& b, const std::string& text) {
    b.feed(ops_order{1, ops_order::deed::record_wiring, text});
    return ok(b.last_answer) ? "" : code_of(b.last_answer);
}

}  // namespace

TEST_CASE("a wiring's record comes into the ledger once, signed, and of this cabinet") {
    bench b;
    const std::string record = R"({"cabinet":"c1","doors":[]})";
    const auto given = signed_record(b, record);
    CHECK(refused_with(b, given).empty());
    REQUIRE(b.count("cabinet.wired") == 1);
    CHECK(b.last_event("cabinet.wired").at("record").as_string() == record.c_str());
    CHECK(refused_with(b, given).empty());  // handed in again, after a crash
    b.start();
    CHECK(refused_with(b, given).empty());
    CHECK(b.count("cabinet.wired") == 1);
    CHECK(refused_with(b, signed_record(b, R"({"cabinet":"c2","doors":[]})")) == "wrong_audience");
    auto forged = boost::json::parse(given).as_object();
    forged["record"] = R"({"cabinet":"c1","doors":[1]})";
    CHECK(refused_with(b, boost::json::serialize(forged)) == "bad_signature");
    for (const auto* bad : {"", "{}", "[]", R"({"record":"x","signature":"y"})", R"({"record":1})"}) {
        CHECK(refused_with(b, bad) == "malformed");
    }
    CHECK(b.count("cabinet.wired") == 1);
}

TEST_CASE("an opening with the mechanical key: who and why, and nobody gets that compartment until staff have looked") {
    bench b;
    const int n = b.put_in("papers");
    b.feed(ops_order{1, ops_order::deed::record_mechanical, "4711 of the service, no power", n});
    CHECK(ok(b.last_answer));
    CHECK(b.last_event("opening.mechanical").at("reason") == "4711 of the service, no power");
    CHECK(b.last_event("opening.mechanical").at("deposit") == "papers");
    CHECK(b.count("compartment.suspected") == 1);
    CHECK(b.pulses.size() == 1);              // the deposit's own
    CHECK(ok(b.enter(b.code("papers", 0))));  // what may still lie there is its owner's
    b.feed(ops_order{2, ops_order::deed::record_mechanical, "x", 77});
    CHECK(code_of(b.last_answer) == "unknown_compartment");
    b.feed(ops_order{3, ops_order::deed::record_emptied, "x", n == 1 ? 2 : 1});
    CHECK(code_of(b.last_answer) == "wrong_state");
}

TEST_CASE("behind a suspected door lies a deposit: staff look, and either leave it or end it") {
    bench b;
    REQUIRE(ok(b.staff({member("4711", {"settle", "reclaim_overdue"})})));
    const int left = b.put_in("left");
    const int gone = b.put_in("gone");
    b.feed(ops_order{1, ops_order::deed::suspect_all, "board replaced"});
    REQUIRE(ok(b.enter(b.staff_code("4711"), entry_via::socket)));
    const auto shut_after = [&](int n) {
        b.pass(3000);
        b.door(n, false);
        b.pass(2000);
    };
    CHECK(ok(b.enter("settle " + std::to_string(left), entry_via::socket)));
    shut_after(left);
    CHECK(b.compartment(left).at("use") == "occupied");
    CHECK(ok(b.enter("reclaim " + std::to_string(gone), entry_via::socket)));
    shut_after(gone);
    CHECK(b.count("deposit.reclaimed") == 1);
    CHECK(b.compartment(gone).at("use") == "vacant");
    CHECK(ok(b.enter(b.code("left", 0))));
    CHECK(!ok(b.enter(b.code("gone", 0))));
    // What nobody doubts is not taken from its owner.
    const int fine = b.put_in("fine");
    CHECK(code_of(b.enter("reclaim " + std::to_string(fine), entry_via::socket)) == "wrong_state");
}

TEST_CASE("what was handed over by hand is no deposit any more: its code opens nothing, staff settle the compartment") {
    bench b;
    const int n = b.put_in("papers");
    b.feed(ops_order{1, ops_order::deed::record_emptied, "handed to its owner", n});
    CHECK(ok(b.last_answer));
    CHECK(b.count("deposit.reclaimed") == 1);
    CHECK(!ok(b.enter(b.code("papers", 0))));
    CHECK(b.compartment(n).at("use") == "suspected");
    CHECK(ok(b.open({{"act", "settle"}, {"cmp", n}})));
    b.pass(3000);
    b.door(n, false);
    b.pass(2000);
    CHECK(b.compartment(n).at("use") == "vacant");
}

TEST_CASE("a suspicion ends by who was sent to look: not by maintenance, nor by a closing that nobody saw") {
    bench b;
    REQUIRE(ok(b.staff({member("4711", {"settle", "open_any"})})));
    const int n = b.put_in("papers");
    b.feed(ops_order{1, ops_order::deed::record_mechanical, "no power", n});
    const auto doubted = [&] {
        const auto at = b.retained.find("locker/v1/c1/alarm/suspected/" + std::to_string(n));
        return at != b.retained.end() && !at->second.empty();
    };
    REQUIRE(doubted());
    CHECK(ok(b.open({{"act", "open"}, {"cmp", n}, {"reason", "new lock"}})));
    b.pass(3000);
    b.door(n, false);
    b.pass(2000);
    CHECK(doubted());
    REQUIRE(ok(b.enter(b.staff_code("4711"), entry_via::socket)));
    CHECK(ok(b.enter("settle " + std::to_string(n), entry_via::socket)));
    b.door(n, false);  // it sprang shut at once
    b.pass(2000);
    CHECK(doubted());
    CHECK(ok(b.enter("settle " + std::to_string(n), entry_via::socket)));
    b.pass(3000);
    b.door(n, false);
    b.pass(2000);
    CHECK(!doubted());
    CHECK(b.compartment(n).at("use") == "occupied");
}

TEST_CASE("without a contact the word of who was sent to look is all there is") {
    options o;
    o.contact = contact_kind::none;
    bench b(o);
    REQUIRE(ok(b.staff({member("4711", {"settle"})})));
    CHECK(!ok(b.open({{"act", "deposit"}, {"dep", "papers"}, {"kind", "return"}})));  // outcome unknown
    b.pass(10 * second);
    b.command("confirm", {{"deposit", "papers"}});
    b.feed(ops_order{1, ops_order::deed::suspect_all, "restored"});
    REQUIRE(ok(b.enter(b.staff_code("4711"), entry_via::socket)));
    (void)b.enter("settle 1", entry_via::socket);
    b.pass(20 * second);
    CHECK(b.count("compartment.settled") == 1);
    CHECK(b.compartment(1).at("use") == "occupied");
}
