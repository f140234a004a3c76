// The bus's thread over a real descriptor: what it says first, what goes before what, what it says last.
#include "hal/line/modbus_bus.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>

#include "tests/component/scripted_peer.hpp"

using namespace locker;
using namespace std::chrono_literals;
using peer::answer;
using peer::bytes;
using peer::question;
using peer::rtu;
using peer::scripted_peer;

namespace {

std::int64_t boot_ms() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

// Collects what a bus reports; waits with a deadline for what a test expects.
class ear {
public:
    std::vector<pulse_report> pulses;
    std::vector<inputs_report> inputs;
    std::vector<board_report> boards;
    std::vector<line_report> lines;

    governor guard;
    std::function<void(bus_report)> listener() {
        return [this](const bus_report& report) {
            const std::lock_guard lock(mutex_);
            std::visit([this](const auto& r) { add(r); }, report);
            changed_.notify_all();
        };
    }
    template <typename Condition>
    bool wait(Condition condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 20s, condition);
    }

private:
    void add(const pulse_report& r) { pulses.push_back(r); }
    void add(const inputs_report& r) { inputs.push_back(r); }
    void add(const board_report& r) { boards.push_back(r); }
    void add(const line_report& r) { lines.push_back(r); }
    std::mutex mutex_;
    std::condition_variable changed_;
};

bus_settings settings_for(const scripted_peer& p) {
    board_profile kind;
    kind.name = "test";
    kind.relays = 8;
    kind.inputs = 8;
    kind.timeout_ms = 60;
    kind.pulse_base = 0x0200;
    kind.all_off_coil = 0x00FF;
    kind.pulse_max_units = 30;
    bus_settings s;
    s.line.name = "line";
    s.line.device = p.device();
    s.boards = {{0, "A", 1, kind}};
    s.locks = {{1, 0, 0, 0, 0, {}}, {2, 0, 1, 0, 0, {}}};
    return s;
}

const bytes drop{1, 5, 0x00, 0xFF, 0, 0};

bool is_pulse(const question& q) {
    return q.body[1] == 5 && q.body[2] == 2;
}

}  // namespace

TEST_CASE("bus: relays are dropped before the first poll and at the end; a pulse is reported and watched") {
    peer::model m;
    m.inputs = 0xFF;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    ear e;
    {
        modbus_bus bus(settings_for(p), e.guard, e.listener());
        CHECK(bus.serves(1));
        CHECK(!bus.serves(3));
        REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
        CHECK(e.boards.front().present);
        CHECK(e.inputs.front().bits == 0xFF);
        bus.pulse({7, 1, 2, boot_ms() + 2000, 500});
        REQUIRE(e.wait([&] { return !e.pulses.empty(); }));
        CHECK(e.pulses.front().result == pulse_result::done);
        CHECK(e.pulses.front().opening == 7);
        m.inputs = 0xFD;
        REQUIRE(e.wait([&] { return e.inputs.back().bits == 0xFD; }));
        CHECK(bus.counters().pulses == 1);
    }
    const auto heard = p.heard();
    CHECK(heard.front().body == drop);
    CHECK(heard.back().body == drop);
    CHECK(std::count_if(heard.begin(), heard.end(), is_pulse) == 1);
}

TEST_CASE("bus: what was read counts from when it was heard, not from when it was asked for") {
    peer::model m;
    std::atomic<std::int64_t> asked{0};
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        if (q.body[1] == 2 && asked == 0) {
            asked = boot_ms();
        }
        return std::vector{answer{rtu(m.reply(q)), 30ms}};
    });
    ear e;
    modbus_bus bus(settings_for(p), e.guard, e.listener());
    REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
    CHECK(e.inputs.front().at_ms >= asked + 30);
}

TEST_CASE("bus: an order whose time has passed is not sent") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    ear e;
    modbus_bus bus(settings_for(p), e.guard, e.listener());
    REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
    bus.pulse({7, 1, 1, boot_ms() - 1, 500});
    REQUIRE(e.wait([&] { return !e.pulses.empty(); }));
    CHECK(e.pulses.front().result == pulse_result::not_sent);
    const auto heard = p.heard();
    CHECK(std::none_of(heard.begin(), heard.end(), is_pulse));
}

TEST_CASE("bus: one coil at a time on a supply: two orders, two pulses, one after the other's end") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    ear e;
    modbus_bus bus(settings_for(p), e.guard, e.listener());
    REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
    bus.pulse({7, 1, 1, boot_ms() + 5000, 100});
    bus.pulse({8, 1, 2, boot_ms() + 5000, 100});
    REQUIRE(e.wait([&] { return e.pulses.size() == 2; }));
    std::vector<question> pulses;
    for (const auto& q : p.heard()) {
        if (is_pulse(q)) {
            pulses.push_back(q);
        }
    }
    REQUIRE(pulses.size() == 2);
    CHECK(pulses[1].arrived - pulses[0].arrived >= 500ms);  // the first coil's pulse length
}

TEST_CASE("bus: a board that falls silent is lost; back, its relays are dropped before its first poll") {
    peer::model m;
    std::atomic<bool> silent{false};
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return silent ? std::vector<answer>{} : std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    ear e;
    modbus_bus bus(settings_for(p), e.guard, e.listener());
    REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
    silent = true;
    REQUIRE(e.wait([&] { return !e.boards.back().present; }));
    bus.pulse({9, 1, 1, boot_ms() + 5000, 100});
    REQUIRE(e.wait([&] { return !e.pulses.empty(); }));
    CHECK(e.pulses.front().result == pulse_result::not_sent);
    const auto before = p.heard().size();
    silent = false;
    REQUIRE(e.wait([&] { return e.boards.back().present; }));
    const auto heard = p.heard();
    const auto answered_first = std::find_if(heard.begin() + static_cast<std::ptrdiff_t>(before), heard.end(),
                                             [](const question& q) { return q.body == drop; });
    const auto polled_first = std::find_if(heard.begin() + static_cast<std::ptrdiff_t>(before), heard.end(),
                                           [](const question& q) { return q.body[1] == 2; });
    CHECK(answered_first < polled_first);
    CHECK(std::none_of(heard.begin(), heard.end(), is_pulse));
}

TEST_CASE("bus: an unanswered pulse is unsure, not done") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return is_pulse(q) ? std::vector<answer>{} : std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    ear e;
    modbus_bus bus(settings_for(p), e.guard, e.listener());
    REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
    bus.pulse({7, 1, 1, boot_ms() + 5000, 100});
    REQUIRE(e.wait([&] { return !e.pulses.empty(); }));
    CHECK(e.pulses.front().result == pulse_result::unsure);
}

TEST_CASE("bus: a pulled line is told once, its boards are lost, orders come back unsent") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    ear e;
    modbus_bus bus(settings_for(p), e.guard, e.listener());
    REQUIRE(e.wait([&] { return !e.inputs.empty(); }));
    p.pull();
    REQUIRE(e.wait([&] { return !e.lines.back().up; }));
    REQUIRE(e.wait([&] { return !e.boards.back().present; }));
    bus.pulse({7, 1, 1, boot_ms() + 5000, 100});
    REQUIRE(e.wait([&] { return !e.pulses.empty(); }));
    CHECK(e.pulses.front().result == pulse_result::not_sent);
    CHECK(!e.lines.back().why.empty());
}

TEST_CASE("bus: TCP: a board that is silent behind a gateway costs its neighbour neither its relays nor its orders") {
    peer::model m;
    std::mutex mutex;
    std::condition_variable asked_b;
    int probes = 0;
    scripted_peer p(scripted_peer::kind::tcp, [&](const question& q) {
        if (q.body[0] == 2) {
            const std::lock_guard lock(mutex);
            ++probes;
            asked_b.notify_all();
        }
        const bytes body = m.reply(q);
        bytes raw{
            static_cast<std::uint8_t>(q.transaction >> 8U), static_cast<std::uint8_t>(q.transaction & 0xFFU), 0, 0, 0,
            static_cast<std::uint8_t>(body.size())};
        raw.insert(raw.end(), body.begin(), body.end());
        return q.body[0] == 1 ? std::vector{answer{raw, 1ms}} : std::vector<answer>{};
    });
    auto settings = settings_for(p);
    settings.line.device.clear();
    settings.line.host = "127.0.0.1";
    settings.line.port = p.port();
    settings.boards.push_back({1, "B", 2, settings.boards[0].profile});
    ear e;
    modbus_bus bus(settings, e.guard, e.listener());
    REQUIRE(e.wait([&] { return e.boards.size() == 2; }));
    for (int opening = 1; opening <= 3; ++opening) {  // a probe of B lies between them
        std::unique_lock lock(mutex);
        REQUIRE(asked_b.wait_for(lock, 20s, [&, before = probes] { return probes > before; }));
        lock.unlock();
        bus.pulse({opening, 1, 1 + opening % 2, boot_ms() + 5000, 0});
        REQUIRE(e.wait([&] { return e.pulses.size() == static_cast<std::size_t>(opening); }));
        CHECK(e.pulses.back().result == pulse_result::done);
    }
    const auto heard = p.heard();
    CHECK(std::count_if(heard.begin(), heard.end(), [](const question& q) { return q.body == drop; }) == 1);
    CHECK(e.lines.size() == 1);
}
