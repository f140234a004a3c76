// How locks age. The lock's life is tests/bench/lock_model.hpp's; the figures in docs/locks.md come from there, too.
#include "daemon/core/locks.hpp"

#include <doctest/doctest.h>

#include "tests/bench/lock_model.hpp"
#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

// The door opens so long after its pulse.
struct timed : bench {
    explicit timed(options o = {}) : bench(o) {
        line_answers = false;
        reacts = [](int) {};
    }
    // One opening of the door by `open`, and shut again; after `failed` pulses that did nothing.
    void cycle(int n, std::int64_t latency, int failed = 0) {
        const auto before = pulses.size();
        const auto mark = count("opening.opened");
        (void)open({{"act", "open"}, {"cmp", n}});
        for (int i = 0; i < failed; ++i) {
            answer_last();
            pass(2600);
        }
        REQUIRE(pulses.size() == before + static_cast<std::size_t>(failed) + 1);
        answer_last();
        pass(latency);
        door(n, true);
        REQUIRE(count("opening.opened") == mark + 1);
        shut(*this, n);
    }
    void answer_last() {
        const auto& p = pulses.back();
        feed(pulse_report{p.opening, p.attempt, pulse_result::done, now.mono_ms});
    }
    const lock_health& lock(int n) { return core->view().d.locks.at(n); }
};

}  // namespace

TEST_CASE("locks that wear are called worn before they jam, healthy ones are not") {
    constexpr int seeds = 200;
    int told = 0;
    for (int s = 1; s <= seeds; ++s) {
        lock_model::chance c(static_cast<std::uint64_t>(s));
        const auto l = lock_model::drawn(c, true);
        const auto o = lock_model::live(l, c, 36'500);
        REQUIRE(o.jam_at > 0);
        told += o.told_at >= 0 && o.told_at < o.jam_at ? 1 : 0;
    }
    CHECK(told >= seeds * 9 / 10);
    int alarms = 0;
    constexpr int years = 1000;
    for (int s = 1; s <= years; ++s) {
        lock_model::chance c(1'000'000 + static_cast<std::uint64_t>(s));
        const auto l = lock_model::drawn(c, false);
        alarms += lock_model::live(l, c, 365).alarms;
    }
    CHECK(alarms <= years / 100);
}

TEST_CASE("a lock's latency is from the board's acknowledgement to the door seen open") {
    timed b;
    b.cycle(2, 140);
    CHECK(b.lock(2).cycles == 1);
    CHECK(b.lock(2).usual_us == 140'000);
    b.cycle(2, 160);
    CHECK(b.lock(2).usual_us == 150'000);
    b.cycle(2, 100, 1);  // what comes after a second pulse says nothing of the time
    CHECK(b.lock(2).usual_us == 150'000);
    CHECK(b.lock(2).retries == 1);
    CHECK(b.lock(2).cycles == 3);
}

TEST_CASE("a worn lock is an event and an alarm, is spared, and a new one begins anew") {
    timed b;
    for (int i = 0; i < 40; ++i) {
        b.cycle(1, 140);
    }
    CHECK(b.count("lock.worn") == 0);
    for (int i = 0; i < 12; ++i) {
        b.cycle(1, 320);
    }
    REQUIRE(b.count("lock.worn") == 1);
    const auto said = b.last_event("lock.worn");
    CHECK(said.at("compartment").as_int64() == 1);
    CHECK(said.at("usual_ms").as_int64() == 140);
    CHECK(said.at("recent_ms").as_int64() > 180);
    CHECK_FALSE(b.retained.at("locker/v1/c1/alarm/worn/1").empty());
    CHECK(b.core->health(b.now).find(R"("compartment":1,"lock":"ok","worn":true)") != std::string::npos);
    b.start();  // it is not forgotten
    CHECK(b.lock(1).worn);
    // Door 1 was used last, and would be the last of all; when the others are used later, it stays so.
    for (int n = 2; n <= 6; ++n) {
        b.cycle(n, 140);
    }
    b.line_answers = true;
    b.reacts = [&b](int n) { b.door(n, true); };
    CHECK(b.put_in("d1") == 2);
    b.feed(ops_order{77, ops_order::deed::lock_renewed, "", 1});
    CHECK(b.last_event("lock.worn").at("recovered").as_bool());
    CHECK(b.retained.at("locker/v1/c1/alarm/worn/1").empty());
    CHECK(b.lock(1).cycles == 0);
    CHECK(b.put_in("d2") == 1);
    b.feed(ops_order{78, ops_order::deed::lock_renewed, "", 77});
    CHECK(code_of(b.last_answer) == "unknown_compartment");
}

TEST_CASE("a frame that was lost on the line says nothing of the lock") {
    timed b;
    for (int i = 0; i < 8; ++i) {
        const auto before = b.pulses.size();
        (void)b.open({{"act", "open"}, {"cmp", 2}});
        const auto lost = b.pulses.back();
        b.feed(pulse_report{lost.opening, lost.attempt, pulse_result::unsure, b.now.mono_ms});
        b.pass(2600);
        REQUIRE(b.pulses.size() == before + 2);
        b.answer_last();
        b.pass(120);
        b.door(2, true);
        shut(b, 2);
        b.pass(minute);
    }
    CHECK(b.lock(2).cycles == 8);
    CHECK(b.lock(2).retries == 0);
    CHECK(b.count("lock.worn") == 0);
}

TEST_CASE("a lock that was changed is in the ledger, and begins without jams") {
    timed b;
    for (int i = 0; i < 3; ++i) {
        (void)b.open({{"act", "open"}, {"cmp", 2}});
        for (int pulse = 0; pulse < 2; ++pulse) {
            b.answer_last();
            b.pass(2600);
        }
        b.pass(minute);
    }
    REQUIRE(b.count("opening.jammed") == 3);
    CHECK(b.compartment(2).at("lock").as_string() == "quarantined");
    CHECK(b.lock(2).retries == 3);
    b.feed(ops_order{77, ops_order::deed::lock_renewed, "", 2});
    CHECK(b.last_event("lock.released").at("reason").as_string() == "renewed");
    CHECK(b.compartment(2).at("lock").as_string() == "ok");
    CHECK(b.core->view().d.compartments.at(2).jams == 0);
}

TEST_CASE("jams and retries wear a lock, doors that fell shut again are counted") {
    timed b;
    for (int i = 0; i < 3; ++i) {
        b.cycle(3, 140, 1);
    }
    CHECK_FALSE(b.lock(3).worn);
    b.cycle(3, 140, 1);
    CHECK(b.lock(3).worn);
    (void)b.open({{"act", "open"}, {"cmp", 4}});
    b.answer_last();
    b.pass(140);
    b.door(4, true);
    b.pass(300);
    b.door(4, false);
    b.pass(1100);
    CHECK(b.lock(4).bounces == 1);
}
