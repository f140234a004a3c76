#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

TEST_CASE("intake leaves places to returns") {
    bench b({.doors = 4});
    for (int i = 0; i < 3; ++i) {
        b.put_in("in" + std::to_string(i), "intake");
    }
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "one-more"}, {"kind", "intake"}})) == "no_vacancy");
    CHECK(ok(b.open({{"act", "deposit"}, {"dep", "back"}, {"kind", "return"}})));
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "back2"}, {"kind", "return"}})) == "no_vacancy");
}

TEST_CASE("the smallest that fits, accessible when asked, the door used longest ago") {
    bench b({.doors = 6});
    b.config.compartments[0].size = box_size::large;
    b.config.compartments[1].size = box_size::medium;
    b.config.compartments[5].accessible = true;
    b.start();
    CHECK(b.put_in("a") == 3);
    CHECK(b.put_in("m") == 4);
    const auto at = [&](boost::json::object claims) {
        claims["act"] = "deposit";
        claims["kind"] = "return";
        return b.open(claims).at("result").at("compartment").as_int64();
    };
    CHECK(at({{"dep", "x"}, {"size", "M"}}) == 2);
    CHECK(at({{"dep", "y"}, {"accessible", true}}) == 6);
    // 3 and 4 are given back; the one used longest ago comes first
    for (const auto* id : {"m", "a"}) {
        (void)b.open({{"act", "collect"}, {"dep", id}});
        b.pass(2000);
        b.door(id[0] == 'm' ? 4 : 3, false);
        b.pass(2 * minute);
    }
    CHECK(at({{"dep", "z"}}) == 5);
    CHECK(at({{"dep", "w"}}) == 4);
    CHECK(at({{"dep", "v"}}) == 3);
}

TEST_CASE("a deposit id is never used again, and a deposit grant reopens its own compartment") {
    bench b;
    const int n = b.put_in("d1");
    const auto again = b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    CHECK(again.at("result").at("compartment").as_int64() == n);
    b.pass(2000);
    b.door(n, false);
    b.pass(1000);
    CHECK(b.count("deposit.deposited") == 1);
    REQUIRE(ok(b.command("confirm", {{"deposit", "d1"}})));
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "wrong_state");
    REQUIRE(ok(b.enter(b.code("d1", 0))));
    b.pass(2000);
    b.door(n, false);
    b.pass(5 * minute);
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "wrong_state");
}
