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
