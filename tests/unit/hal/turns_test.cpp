#include "hal/line/turns.hpp"

#include <doctest/doctest.h>

#include <map>

using locker::turns;

namespace {

// A line in virtual time: a read that is answered lasts 20 ms, one that is not its timeout.
struct line {
    explicit line(const std::vector<bool>& with_inputs) : t(with_inputs) {}
    static constexpr std::int64_t timeout = 150;
    turns t;
    std::int64_t now = 0;
    std::map<int, bool> dead;
    std::map<int, std::int64_t> time_spent;
    std::map<int, int> asked;

    void run_until(std::int64_t end) {
        while (now < end) {
            const auto turn = t.next(now);
            if (turn.board < 0) {
                now = std::max(now + 1, turn.at);
                continue;
            }
            const std::int64_t cost = dead[turn.board] ? timeout : 20;
            now += cost;
            time_spent[turn.board] += cost;
            ++asked[turn.board];
            if (dead[turn.board]) {
                t.silent(turn.board, now, timeout);
            } else {
                t.answered(turn.board, now);
            }
        }
    }
};

}  // namespace

TEST_CASE("turns: boards take fair turns") {
    line l({true, true, true});
    l.run_until(6000);
    CHECK(l.asked[0] == l.asked[1]);
    CHECK(l.asked[1] == l.asked[2]);
}

TEST_CASE("turns: with a pace, no board is asked oftener but the one that is watched") {
    turns t({true, true}, 20);
    CHECK(t.next(0).board == 0);
    t.answered(0, 1);
    CHECK(t.next(1).board == 1);
    t.answered(1, 2);
    CHECK(t.next(2).board == -1);
    CHECK(t.next(2).at == 21);
    t.watch(1, 100);
    CHECK(t.next(3).board == 1);
}

TEST_CASE("turns: one lost frame is no lost board, three are") {
    line l({true});
    l.t.silent(0, 0, 150);
    CHECK(!l.t.lost(0));
    CHECK(l.t.next(0).board == 0);
    l.t.silent(0, 0, 150);
    l.t.silent(0, 0, 150);
    CHECK(l.t.lost(0));
    CHECK(l.t.next(0).board == -1);
    l.t.answered(0, 5000);
    CHECK(!l.t.lost(0));
}

TEST_CASE("turns: a dead board is probed for ever, at no more than 1 % of line time") {
    line l({true, true});
    l.dead[1] = true;
    l.run_until(60'000);  // the pauses have grown
    l.time_spent.clear();
    l.asked.clear();
    const auto from = l.now;
    l.run_until(from + 600'000);
    CHECK(l.asked[1] > 0);
    CHECK(static_cast<double>(l.time_spent[1]) <= 0.0101 * 600'000);
    l.dead[1] = false;
    l.run_until(l.now + 30'000);
    CHECK(!l.t.lost(1));
}

TEST_CASE("turns: a pulsed board is read back to back, the others still get a turn a second") {
    line l({true, true});
    l.run_until(1000);
    l.asked.clear();
    l.t.watch(0, l.now + 3000);
    l.run_until(l.now + 3000);
    CHECK(l.asked[0] > 140);
    CHECK(l.asked[1] >= 2);
    CHECK(l.asked[1] <= 4);
}

TEST_CASE("turns: no probe of a dead board while a door is watched") {
    line l({true, true});
    l.dead[1] = true;
    l.run_until(5000);
    l.asked.clear();
    l.t.watch(0, l.now + 5000);
    l.run_until(l.now + 5000);
    CHECK(l.asked[1] == 0);
    l.run_until(l.now + 40'000);
    CHECK(l.asked[1] > 0);
}

TEST_CASE("turns: a board without inputs gives a sign of life a second") {
    line l({true, false});
    l.run_until(10'000);
    CHECK(l.asked[1] >= 9);
    CHECK(l.asked[1] <= 11);
}

TEST_CASE("turns: boards that answer within a millisecond take fair turns, too") {
    turns t({true, true, true});
    std::map<int, int> asked;
    for (int i = 0; i < 300; ++i) {
        const int board = t.next(7).board;
        ++asked[board];
        t.answered(board, 7);
    }
    CHECK(asked[0] == 100);
    CHECK(asked[2] == 100);
}
