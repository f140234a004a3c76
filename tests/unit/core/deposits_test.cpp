#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

TEST_CASE("a deposit grant may name its door: unknown, disabled and taken ones are told apart") {
    bench b;
    const auto at = [&](std::string_view dep, int door) {
        return b.open({{"act", "deposit"}, {"dep", dep}, {"kind", "return"}, {"cmp", door}});
    };
    CHECK(code_of(at("d1", 99)) == "unknown_compartment");
    CHECK(ok(b.command("disable", {{"compartment", 3}, {"reason", "paint"}})));
    CHECK(code_of(at("d1", 3)) == "disabled");
    CHECK(ok(b.command("enable", {{"compartment", 3}, {"reason", "dry"}})));
    REQUIRE(ok(at("d1", 3)));
    CHECK(b.compartment(3).at("deposit").as_string() == "d1");
    CHECK(code_of(at("d2", 3)) == "no_vacancy");
    CHECK(code_of(at("d1", 4)) == "busy");  // its own compartment, which stands open
}

TEST_CASE("papers behind the wrong door are moved: code and grant open the new one, the old is suspected") {
    bench b;
    const int n = b.put_in("d1");
    const int other = b.put_in("d2");
    const auto move = [&](std::string_view dep, int door) {
        return b.open({{"act", "move"}, {"dep", dep}, {"cmp", door}});
    };
    CHECK(code_of(move("none", 5)) == "unknown_deposit");
    CHECK(code_of(move("d1", 99)) == "unknown_compartment");
    CHECK(code_of(move("d1", n)) == "wrong_state");
    CHECK(code_of(move("d1", other)) == "wrong_state");
    const auto token = b.grant({{"act", "move"}, {"dep", "d1"}, {"cmp", 5}});
    const auto moved = b.command("open", {}, token);
    REQUIRE(ok(moved));
    CHECK(moved.at("result").at("from").as_int64() == n);
    CHECK(code_of(b.command("open", {}, token)) == "replayed");
    CHECK(b.last_event("deposit.moved").at("compartment").as_int64() == 5);
    CHECK(b.compartment(n).at("use").as_string() == "suspected");
    CHECK(code_of(b.open({{"act", "move"}, {"dep", "d1"}, {"cmp", 5}})) == "wrong_state");
    b.start();
    const auto opened = b.enter(b.code("d1", 0));
    REQUIRE(ok(opened));
    CHECK(opened.at("result").at("compartment").as_int64() == 5);
    CHECK(code_of(move("d1", 6)) == "busy");
    b.pass(2000);
    b.door(5, false);
    b.pass(2000);
    CHECK(b.count("deposit.retrieved") == 1);
    CHECK(code_of(move("d1", 6)) == "wrong_state");
    CHECK(code_of(move("d2", 5)) == "busy");  // somebody may come back for what they forgot
    b.pass(minute);
    CHECK(ok(move("d2", 5)));
}
