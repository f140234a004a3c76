// Mains and tamper switch.
#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

constexpr std::uint32_t mains_bit = 1U << 8U;   // on while there are mains
constexpr std::uint32_t tamper_bit = 1U << 9U;  // on while the inside is open

struct wired : bench {
    wired() {
        config.sensors = {{sensor_kind::mains, 0, 8, false}, {sensor_kind::tamper, 0, 9, true}};
        inputs |= mains_bit;
        start();
    }
    void read() { feed(inputs_report{0, inputs, now.mono_ms}); }
    void set(std::uint32_t bit, bool on) {
        inputs = on ? inputs | bit : inputs & ~bit;
        read();
    }
    bool alarm(const std::string& kind) {
        const auto at = retained.find("locker/v1/c1/alarm/" + kind);
        return at != retained.end() && !at->second.empty();
    }
};

}  // namespace

TEST_CASE("mains that are gone are told once they are gone for a second, and told again when they are back") {
    wired b;
    CHECK(b.count("input.changed") == 0);
    b.set(mains_bit, false);
    b.pass(900);
    b.set(mains_bit, true);
    b.pass(2000);
    CHECK(b.count("input.changed") == 0);
    b.set(mains_bit, false);
    b.pass(1100);
    CHECK(b.count("input.changed") == 1);
    CHECK(b.last_event("input.changed").at("state").as_string() == "lost");
    CHECK(b.alarm("mains"));
    b.set(mains_bit, true);
    b.pass(1100);
    CHECK(b.last_event("input.changed").at("state").as_string() == "present");
    CHECK_FALSE(b.alarm("mains"));
}

TEST_CASE("an inside that was open for a moment was open") {
    wired b;
    b.set(tamper_bit, true);
    b.pass(150);
    b.set(tamper_bit, false);
    CHECK(b.count("input.changed") == 1);
    CHECK(b.last_event("input.changed").at("input").as_string() == "tamper");
    CHECK(b.last_event("input.changed").at("state").as_string() == "open");
    CHECK(b.alarm("tamper"));
    b.pass(1100);
    CHECK(b.last_event("input.changed").at("state").as_string() == "closed");
    CHECK_FALSE(b.alarm("tamper"));
}

TEST_CASE("trouble outlives a restart and a silent board, and what happened meanwhile is told at the first look") {
    wired b;
    b.set(tamper_bit, true);
    b.pass(150);
    b.start();
    CHECK(b.alarm("tamper"));
    CHECK(b.count("input.changed") == 1);
    b.board(0, false);
    b.inputs &= ~tamper_bit;
    b.pass(5000);
    CHECK(b.alarm("tamper"));
    b.board(0, true);
    b.read();
    CHECK(b.count("input.changed") == 2);
    CHECK_FALSE(b.alarm("tamper"));
    b.inputs &= ~mains_bit;
    b.start();
    CHECK(b.alarm("mains"));
}

TEST_CASE("a sensor that is no longer configured raises no alarm") {
    wired b;
    b.set(tamper_bit, true);
    b.pass(150);
    CHECK(b.core->snapshot(b.now).find("tamper") != std::string::npos);
    b.config.sensors.clear();
    b.start();
    CHECK(b.core->snapshot(b.now).find("tamper") == std::string::npos);
}
