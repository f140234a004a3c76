#include <doctest/doctest.h>

#include "protocol/event.hpp"
#include "protocol/ledger.hpp"

using namespace locker;

TEST_CASE("the hash covers every member") {
    ledger_row row{7, 1'800'000'000'000, 5000, "boot", "deposit.reserved", "compartment/3", R"({"deposit":"d"})", {},
                   {}};
    const auto base = ledger_hash(row);
    const auto differs = [&](auto change) {
        ledger_row other = row;
        change(other);
        return ledger_hash(other) != base;
    };
    CHECK(differs([](auto& r) { r.sequence = 8; }));
    CHECK(differs([](auto& r) { r.wall_ms += 1; }));
    CHECK(differs([](auto& r) { r.mono_ms += 1; }));
    CHECK(differs([](auto& r) { r.boot = "boo"; }));
    CHECK(differs([](auto& r) { r.type = "tdeposit.reserved"; }));
    CHECK(differs([](auto& r) { r.subject = ""; }));
    CHECK(differs([](auto& r) { r.data = "{}"; }));
    CHECK(differs([](auto& r) { r.previous[0] = 1; }));
    CHECK_FALSE(differs([](auto& r) { r.hash[0] = 1; }));
    // protocol/LEDGER.md, vector 1
    CHECK(to_hex(base) == "0713f8b568e4f9102de2ddb7551a60fd54013a18789f26b07b2daa342d3af210");
}

TEST_CASE("a cloud event carries the row's data byte for byte") {
    ledger_row row{7, 1'800'000'000'123, 0, "b", "deposit.reserved", "compartment/3", R"({"deposit":"d"})", {}, {}};
    CHECK(
        cloud_event(row, "locker/v1/c1") ==
        R"({"specversion":"1.0","id":"00000000000000000007","source":"locker/v1/c1","type":"locker.deposit.reserved",)"
        R"("time":"2027-01-15T08:00:00.123Z","sequence":"00000000000000000007","subject":"compartment/3",)"
        R"("ledgerhead":"0000000000000000000000000000000000000000000000000000000000000000",)"
        R"("datacontenttype":"application/json","data":{"deposit":"d"}})");
}

TEST_CASE("members that do not apply are left out") {
    event_data data;
    data.deposit = "d";
    data.compartment = 3;
    CHECK(encode(data) == R"({"deposit":"d","compartment":3})");
    CHECK(encode(event_data{}) == "{}");
}
