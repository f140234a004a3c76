#include "hal/line/governor.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using locker::governor;
using locker::lock_limits;

TEST_CASE("governor: no pulse is longer than the lock bears, whatever is configured") {
    governor g;
    g.add(1, 0, {5000, 1000, 1500, 6});
    g.add(2, 0, {400, 1000, 1500, 6});
    CHECK(g.length(1) == 1000);
    CHECK(g.length(2) == 400);
}

TEST_CASE("governor: a coil cools down after each pulse") {
    governor g;
    g.add(1, 0, {500, 1000, 1500, 100});
    CHECK(g.earliest(1, 10) == 10);
    REQUIRE(g.claim(1, 10));
    CHECK(g.earliest(1, 11) == 10 + 500 + 1500);
    CHECK(g.earliest(1, 9000) == 9000);
}

TEST_CASE("governor: one coil at a time on a supply; another supply does not wait") {
    governor g;
    g.add(1, 0, {500, 1000, 0, 100});
    g.add(2, 0, {500, 1000, 0, 100});
    g.add(3, 1, {500, 1000, 0, 100});
    REQUIRE(g.claim(1, 0));
    CHECK(g.earliest(2, 0) > 500);
    CHECK(g.earliest(3, 0) == 0);
}

TEST_CASE("governor: pulses a minute, in any minute") {
    governor g;
    g.add(1, 0, {500, 1000, 1500, 3});
    for (const int at : {0, 10'000, 20'000}) {
        REQUIRE(g.earliest(1, at) == at);
        REQUIRE(g.claim(1, at));
    }
    CHECK(g.earliest(1, 30'000) == 60'000);
    REQUIRE(g.claim(1, 60'000));
    CHECK(g.earliest(1, 62'000) == 70'000);  // now the one at 10 s is the third last
}

TEST_CASE("governor: a pulse that is not allowed is not claimed, and changes nothing") {
    governor g;
    g.add(1, 0, {});
    REQUIRE(g.claim(1, 0));
    const auto earliest = g.earliest(1, 1);
    CHECK(!g.claim(1, 1));
    CHECK(g.earliest(1, 1) == earliest);
    CHECK_THROWS_AS((void)g.claim(7, 0), std::out_of_range);
}
