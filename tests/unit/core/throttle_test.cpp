#include <doctest/doctest.h>

#include "daemon/core/throttle.hpp"

using namespace locker::core;

TEST_CASE("a bucket gives its capacity at once, then one an interval") {
    bucket b;
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(b.empty(0, 5, 100));
        b.charge(0, 100);
    }
    CHECK(b.empty(0, 5, 100));
    CHECK(b.empty(99, 5, 100));
    CHECK_FALSE(b.empty(100, 5, 100));
    b.charge(100, 100);
    CHECK(b.empty(150, 5, 100));
    CHECK_FALSE(b.empty(10'000, 5, 100));
}

TEST_CASE("the slow bucket holds where the fast one refilled") {
    throttle t;
    std::int64_t age = 0;
    int taken = 0;
    for (; age < 20 * day; age += 30 * minute) {
        if (!t.locked_out(age)) {
            t.charge(age);
            ++taken;
        }
    }
    CHECK(taken <= 60 + 20 * 2 + 1);
    CHECK(t.free_again(age) - age <= 12 * hour);
}
