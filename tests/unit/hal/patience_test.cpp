#include "hal/line/patience.hpp"

#include <doctest/doctest.h>

using locker::patience;

namespace {
constexpr int to_lose = 3;
constexpr std::int64_t shortest = 40'000;
constexpr std::int64_t longest = 150'000;
}  // namespace

TEST_CASE("patience: the whole while nothing is known, then twice the slowest answer and a margin, within the bounds") {
    patience p(shortest, longest);
    CHECK(p.timeout_us(0, to_lose) == longest);
    p.answered(25'000);
    CHECK(p.timeout_us(0, to_lose) == 60'000);
    p.answered(1'000);
    CHECK(p.timeout_us(0, to_lose) > 58'000);  // one fast answer proves little
    p.answered(100'000);
    CHECK(p.timeout_us(0, to_lose) == longest);
    patience fast(shortest, longest);
    fast.answered(2'000);
    CHECK(fast.timeout_us(0, to_lose) == shortest);
}

TEST_CASE("patience: what was slow once is forgotten over some hundreds of answers") {
    patience p(shortest, longest);
    p.answered(70'000);
    for (int i = 0; i < 300; ++i) {
        p.answered(20'000);
    }
    CHECK(p.timeout_us(0, to_lose) < 55'000);
    CHECK(p.timeout_us(0, to_lose) >= 50'000);
}

TEST_CASE("patience: longer after a miss, the whole before a board is called lost, the short time once it is") {
    patience p(shortest, longest);
    p.answered(25'000);
    CHECK(p.timeout_us(1, to_lose) == 120'000);
    CHECK(p.timeout_us(2, to_lose) == longest);
    int whole = 0;
    for (int misses = to_lose; misses < to_lose + 128; ++misses) {
        const auto waits = p.timeout_us(misses, to_lose);
        CHECK((waits == 60'000 || waits == longest));
        whole += waits == longest ? 1 : 0;
    }
    CHECK(whole == 2);
}

TEST_CASE("patience: a lost board that was never heard costs the shortest, and now and then the whole") {
    const patience p(shortest, longest);
    CHECK(p.timeout_us(to_lose, to_lose) == shortest);
    CHECK(p.timeout_us(8, to_lose) == longest);
    CHECK(p.timeout_us(9, to_lose) == shortest);
}
