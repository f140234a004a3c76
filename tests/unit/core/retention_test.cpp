// The ledger's oldest rows leave by age and size alone, announced, vouched for, and never what others do not have yet.
#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

// Small enough to see it happen: rows of an hour, no more than 40, a notice of ten minutes.
void keep_little(bench& b) {
    b.config.rules.ledger_keep = hour;
    b.config.rules.ledger_rows = 40;
    b.config.rules.ledger_notice = 10 * minute;
    b.start();
}

void acknowledge_all(bench& b) {
    for (const auto& m : b.published) {
        if (m.sequence != 0) {
            b.feed(event_acknowledged{m.sequence});
        }
    }
    b.published.clear();
}

void make_rows(bench& b, int deposits) {
    for (int i = 0; i < deposits; ++i) {
        static int n = 0;
        b.put_in("d" + std::to_string(++n));
        CHECK(ok(b.enter(b.code("d" + std::to_string(n), 0))));
        b.pass(2000);
        for (int door = 1; door <= 6; ++door) {
            b.door(door, false);
        }
        b.pass(2 * minute);
        acknowledge_all(b);
    }
}

const std::string notice = "locker/v1/c1/alarm/ledger/retention";

}  // namespace

TEST_CASE("rows leave once they are old and many, after a notice; what stays is vouched for") {
    bench b;
    keep_little(b);
    make_rows(b, 8);
    const auto rows = b.disk.ledger.size();
    REQUIRE(rows > 40);
    b.pass(2 * minute);
    CHECK(b.retained[notice].empty());  // many, but young
    CHECK(b.disk.earliest() == 1);
    b.pass(45 * minute);  // the hourly look at the latest
    b.pass(hour);
    REQUIRE(b.count("ledger.pruned") == 0);
    REQUIRE(!b.retained[notice].empty());
    CHECK(b.retained[notice].find("0 days leave it from") != std::string::npos);
    b.pass(2 * hour);
    REQUIRE(b.count("ledger.pruned") >= 1);
    const auto said = b.last_event("ledger.pruned");
    const auto earliest = b.disk.earliest();
    CHECK(said.at("first") == 1);
    CHECK(said.at("last") == earliest - 1);
    CHECK(said.at("hash") == boost::json::string(to_hex(b.disk.ledger.front().previous)));
    CHECK(b.retained[notice].empty());  // few enough again
    b.start();
    CHECK(b.retained["locker/v1/c1/alarm/ledger"].empty());  // a beginning that left is none that was cut off
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 1}})));
}

TEST_CASE("rows that the broker does not have stay") {
    bench b;
    keep_little(b);
    b.feed(broker_down{});
    for (int i = 0; i < 60; ++i) {
        b.feed(board_report{0, i % 2 == 1});
        b.pass(2 * minute);
    }
    REQUIRE(b.disk.ledger.size() > 40);
    b.pass(12 * hour);
    CHECK(b.disk.earliest() == 1);
    CHECK(b.count("ledger.pruned") == 0);
}

TEST_CASE("a clock that runs years ahead removes nothing") {
    bench b;
    keep_little(b);
    make_rows(b, 8);
    b.config.rules.ledger_keep = 400 * day;
    b.start();
    b.now.wall_ms += 3 * 365 * day;
    b.feed(clock_report{true});
    b.pass(3 * hour);
    acknowledge_all(b);
    b.pass(3 * hour);
    CHECK(b.disk.earliest() == 1);
    CHECK(b.count("ledger.pruned") == 0);
}

TEST_CASE("a beginning that was cut off is told at the start, until somebody has found out why") {
    bench b;
    make_rows(b, 3);
    b.disk.ledger.erase(b.disk.ledger.begin(), b.disk.ledger.begin() + 5);
    b.start();
    CHECK(!b.retained["locker/v1/c1/alarm/ledger"].empty());
    b.feed(ops_order{7, ops_order::deed::ledger_examined, "card was copied by hand"});
    CHECK(ok(b.last_answer));
    CHECK(b.retained["locker/v1/c1/alarm/ledger"].empty());
    CHECK(b.last_event("ledger.examined").at("reason") == "card was copied by hand");
    b.start();
    CHECK(b.retained["locker/v1/c1/alarm/ledger"].empty());
    b.feed(ops_order{8, ops_order::deed::ledger_examined, "again"});
    CHECK(code_of(b.last_answer) == "wrong_state");
}

TEST_CASE("rows that a wrong clock dated years ahead leave in their turn") {
    bench b;
    keep_little(b);
    make_rows(b, 2);
    for (auto& row : b.disk.ledger) {
        row.wall_ms += 20 * 365 * day;
    }
    make_rows(b, 8);
    b.pass(4 * hour);
    CHECK(b.count("ledger.pruned") >= 1);
}

TEST_CASE("rows from before the first synchronised clock are as young as the cabinet") {
    bench b({.clock_trusted = false});
    keep_little(b);
    b.config.rules.ledger_keep = 400 * day;
    b.start();
    make_rows(b, 8);
    b.clock_trusted = true;
    b.now.wall_ms += 3 * 365 * day;
    b.feed(clock_report{true});
    b.pass(3 * hour);
    CHECK(b.disk.earliest() == 1);
}
