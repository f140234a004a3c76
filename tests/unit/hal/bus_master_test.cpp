// What a bus does next, in virtual time: the thread that does it decides nothing.
#include "hal/line/bus_master.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace locker;

namespace {

bus_settings settings_of(int boards, pulse_kind pulse = pulse_kind::flash_coil) {
    board_profile kind;
    kind.pulse = pulse;
    kind.relays = 8;
    kind.inputs = 8;
    kind.timeout_ms = 150;
    kind.pulse_max_units = 30;
    bus_settings s;
    s.line.name = "line";
    s.line.device = "/dev/x";
    for (int b = 0; b < boards; ++b) {
        s.boards.push_back({b, std::string(1, static_cast<char>('A' + b)), b + 1, kind});
        s.locks.push_back({b + 1, b, 0, b, 0, {}});
    }
    return s;
}

// A line that answers, and remembers what it was asked.
struct bench {
    explicit bench(const bus_settings& s) : master(s, guard) {}
    governor guard;
    bus_master master;
    std::int64_t now = 0;
    bool line_works = true;
    bool refuses_pulses = false;
    std::vector<bool> silent{false, false, false};
    std::vector<line_action> asked;
    std::vector<std::int64_t> asked_at;
    std::vector<bus_report> reports;

    void run_until(std::int64_t end) {
        while (now < end) {
            const auto a = master.next(now);
            collect();
            if (a.what == line_action::kind::wait) {
                now = std::max(now + 1, std::min(a.until, end));
                continue;
            }
            asked.push_back(a);
            asked_at.push_back(now);
            line_answer answer;
            if (a.what == line_action::kind::open || !line_works) {
                now += 1;
                answer = {line_works ? line_result::ok : line_result::not_sent, 0, 0, line_works, ""};
            } else if (silent[a.board]) {
                now += a.timeout_us / 1000;
                answer.result = line_result::silent;
            } else {
                now += 20;
                answer.result =
                    refuses_pulses && a.what == line_action::kind::pulse ? line_result::refused : line_result::ok;
                answer.bits = 0xFF;
                answer.took_us = 20'000;
            }
            master.done(answer, now);
            collect();
        }
    }
    void collect() {
        for (auto& r : master.take_reports()) {
            reports.push_back(std::move(r));
        }
    }
    // When each action of a kind was begun.
    std::vector<std::int64_t> times(line_action::kind what) const {
        std::vector<std::int64_t> out;
        for (std::size_t i = 0; i < asked.size(); ++i) {
            if (asked[i].what == what) {
                out.push_back(asked_at[i]);
            }
        }
        return out;
    }
    template <typename T>
    std::vector<T> heard() const {
        std::vector<T> out;
        for (const auto& r : reports) {
            if (const auto* one = std::get_if<T>(&r)) {
                out.push_back(*one);
            }
        }
        return out;
    }
};

}  // namespace

TEST_CASE("bus master: the line is opened, relays dropped before a board's first poll, inputs told once") {
    bench b(settings_of(1));
    b.run_until(500);
    REQUIRE(b.asked.size() > 3);
    CHECK(b.asked[0].what == line_action::kind::open);
    CHECK(b.asked[1].what == line_action::kind::drop);
    CHECK(b.asked[2].what == line_action::kind::read);
    CHECK(b.heard<inputs_report>().size() == 1);
    CHECK(b.heard<board_report>().size() == 1);
}

TEST_CASE("bus master: lamps and buzzers go after pulses, before polls, and are worth nothing later") {
    bench b(settings_of(2));
    b.run_until(500);
    b.asked.clear();
    b.asked_at.clear();
    b.master.order(output_order{1, 5, 300});
    b.master.order(pulse_order{1, 1, 1, b.now + 2000, 2500});
    b.run_until(b.now + 60);
    REQUIRE(b.asked.size() > 2);
    CHECK(b.asked[0].what == line_action::kind::pulse);
    CHECK(b.asked[1].what == line_action::kind::output);
    CHECK(b.asked[1].board == 1);
    CHECK(b.asked[1].channel == 5);
    CHECK(b.asked[1].length_ms == 300);
    CHECK(b.heard<pulse_report>().size() == 1);  // nobody is told of a lamp
    b.silent[1] = true;
    b.run_until(b.now + 3000);
    b.master.order(output_order{1, 5, 300});
    b.silent[1] = false;
    b.run_until(b.now + 100);
    CHECK(b.times(line_action::kind::output).size() == 1);  // its board was away
    for (int i = 0; i < 100; ++i) {
        b.master.order(output_order{0, i % 8, 100});
    }
    b.run_until(b.now + 2000);
    CHECK(b.times(line_action::kind::output).size() == 9);
    const auto lamps = b.times(line_action::kind::output);
    for (std::size_t i = 2; i < lamps.size(); ++i) {
        CHECK(lamps[i] - lamps[i - 1] >= 40);  // a poll goes between two
    }
}

TEST_CASE("bus master: a lamp on a board without a timer is switched off again, like a lock") {
    bench b(settings_of(1, pulse_kind::on_off));
    b.run_until(500);
    b.master.order(output_order{0, 5, 300});
    b.run_until(b.now + 100);
    b.master.order(output_order{0, 5, 900});  // the same once more: after the first is off, and the latest of them
    b.master.order(output_order{0, 5, 300});
    b.run_until(b.now + 2000);
    const auto on = b.times(line_action::kind::output);
    const auto off = b.times(line_action::kind::release);
    REQUIRE(on.size() == 2);
    REQUIRE(off.size() == 2);
    CHECK(off[0] >= on[0] + 300);
    CHECK(off[0] <= on[0] + 340);
    CHECK(on[1] > off[0]);
}

TEST_CASE("bus master: a pulse goes before polls, and its board is watched") {
    bench b(settings_of(2));
    b.run_until(500);
    b.asked.clear();
    b.master.order({7, 1, 2, b.now + 5000, 2500});
    b.run_until(b.now + 900);
    CHECK(b.asked.front().what == line_action::kind::pulse);
    CHECK(b.heard<pulse_report>().front().result == pulse_result::done);
    CHECK(std::all_of(b.asked.begin() + 1, b.asked.end(), [](const auto& a) { return a.board == 1; }));
}

TEST_CASE("bus master: what the lock's limits forbid for too long is held back; what waits for them is sent later") {
    bench b(settings_of(1));
    b.run_until(500);
    b.master.order({7, 1, 1, b.now + 1000, 100});
    b.run_until(b.now + 200);
    b.master.order({8, 1, 1, b.now + 500, 100});
    b.master.order({9, 1, 1, b.now + 9000, 100});
    b.run_until(b.now + 6000);
    const auto said = b.heard<pulse_report>();
    REQUIRE(said.size() == 3);
    CHECK(said[1].opening == 8);
    CHECK(said[1].result == pulse_result::held_back);
    CHECK(said[2].opening == 9);
    CHECK(said[2].result == pulse_result::done);
}

TEST_CASE("bus master: a line that is gone gives its orders back and is tried for ever, ever more rarely") {
    bench b(settings_of(2));
    b.run_until(500);
    b.line_works = false;
    b.run_until(1000);
    b.master.order({7, 1, 1, b.now + 5000, 100});
    b.asked.clear();
    b.run_until(61'000);
    CHECK(b.heard<pulse_report>().front().result == pulse_result::not_sent);
    CHECK(b.asked.size() >= 30);
    CHECK(b.asked.size() <= 40);
    CHECK(b.heard<line_report>().size() == 2);
    CHECK(!b.heard<board_report>().back().present);
    b.line_works = true;
    b.asked.clear();
    b.run_until(65'000);
    const auto first_read =
        std::find_if(b.asked.begin(), b.asked.end(), [](const auto& a) { return a.what == line_action::kind::read; });
    const auto first_drop =
        std::find_if(b.asked.begin(), b.asked.end(), [](const auto& a) { return a.what == line_action::kind::drop; });
    CHECK(first_drop < first_read);
    CHECK(b.heard<board_report>().back().present);
}

TEST_CASE("bus master: an order for a lost board comes back at once") {
    bench b(settings_of(2));
    b.silent[1] = true;
    b.run_until(5000);
    b.master.order({7, 1, 2, b.now + 5000, 100});
    b.run_until(b.now + 50);
    CHECK(b.heard<pulse_report>().front().result == pulse_result::not_sent);
}

TEST_CASE("bus master: two buses share a supply: one coil at a time") {
    governor guard;
    auto one = settings_of(1);
    auto two = settings_of(1);
    two.locks[0].compartment = 2;
    bus_master a(one, guard);
    bus_master b(two, guard);
    for (auto* m : {&a, &b}) {
        CHECK(m->next(0).what == line_action::kind::open);
        m->done({}, 1);
        CHECK(m->next(1).what == line_action::kind::drop);
        m->done({}, 2);
    }
    a.order({1, 1, 1, 5000, 100});
    b.order({2, 1, 2, 5000, 100});
    CHECK(a.next(3).what == line_action::kind::pulse);
    CHECK(b.next(3).what != line_action::kind::pulse);
}

TEST_CASE("bus master: a board without a timer is switched off when the pulse is over, whoever else is silent") {
    for (const bool neighbour_dead : {false, true}) {
        bench b(settings_of(2, pulse_kind::on_off));
        b.silent[1] = neighbour_dead;
        b.run_until(5000);
        b.master.order({7, 1, 1, b.now + 5000, 2500});
        b.run_until(b.now + 3000);
        const auto on = b.times(line_action::kind::pulse);
        const auto off = b.times(line_action::kind::release);
        REQUIRE(on.size() == 1);
        REQUIRE(off.size() == 1);
        CHECK(off[0] - on[0] == 500);
        CHECK(b.asked.back().what == line_action::kind::read);
    }
}

TEST_CASE("bus master: two coils of one line, each switched off in its time") {
    auto s = settings_of(2, pulse_kind::on_off);
    s.locks[1].supply = 1;
    bench b(s);
    b.run_until(500);
    b.master.order({7, 1, 1, b.now + 5000, 2500});
    b.run_until(b.now + 30);
    b.master.order({8, 1, 2, b.now + 5000, 2500});
    b.run_until(b.now + 3000);
    const auto on = b.times(line_action::kind::pulse);
    const auto off = b.times(line_action::kind::release);
    REQUIRE(on.size() == 2);
    REQUIRE(off.size() == 2);
    CHECK(off[0] - on[0] == 500);
    CHECK(off[1] - on[1] <= 520);  // the other's switching off was under way at most
}

TEST_CASE("bus master: an unanswered switching off is tried at once again, then all relays of the board drop first") {
    bench b(settings_of(1, pulse_kind::on_off));
    b.run_until(500);
    b.master.order({7, 1, 1, b.now + 5000, 2500});
    b.run_until(b.now + 490);
    b.silent[0] = true;
    b.run_until(b.now + 3000);
    const auto off = b.times(line_action::kind::release);
    REQUIRE(off.size() >= 2);
    CHECK(off[1] - off[0] <= 150);
    CHECK(!b.heard<board_report>().back().present);
    b.silent[0] = false;
    b.asked.clear();
    b.run_until(b.now + 60'000);
    CHECK(b.asked.front().what == line_action::kind::drop);
    CHECK(b.heard<board_report>().back().present);
}

TEST_CASE("bus master: a board that is lost while its coil is on is told to drop its relays when the pulse is over") {
    bench b(settings_of(1, pulse_kind::on_off));
    b.run_until(500);
    b.asked.clear();
    b.asked_at.clear();
    b.master.order({7, 1, 1, b.now + 5000, 2500});
    b.run_until(b.now + 30);
    b.silent[0] = true;
    b.run_until(b.now + 1500);
    const auto on = b.times(line_action::kind::pulse).at(0);
    const auto drops = b.times(line_action::kind::drop);
    CHECK(std::count(drops.begin(), drops.end(), on + 500) == 1);
    CHECK(std::count_if(drops.begin(), drops.end(), [&](auto t) { return t >= on + 500; }) >= 3);
}

TEST_CASE("bus master: while a coil may still be on its supply feeds no other, neighbours are polled") {
    auto s = settings_of(3, pulse_kind::on_off);
    s.locks[2].supply = 1;
    bench b(s);
    b.run_until(500);
    b.master.order({7, 1, 1, b.now + 5000, 0});
    b.run_until(b.now + 490);
    b.silent[0] = true;
    b.run_until(b.now + 1000);
    b.asked.clear();
    b.asked_at.clear();
    b.master.order({8, 1, 2, b.now + 2000, 0});  // on the same supply
    b.master.order({9, 1, 3, b.now + 2000, 0});
    b.run_until(b.now + 2500);
    CHECK(std::count_if(b.asked.begin(), b.asked.end(),
                        [](const auto& a) { return a.what == line_action::kind::read && a.board == 1; }) > 20);
    const auto pulsed =
        std::find_if(b.asked.begin(), b.asked.end(), [](const auto& a) { return a.what == line_action::kind::pulse; });
    REQUIRE(pulsed != b.asked.end());
    CHECK(pulsed->board == 2);
    const auto said = b.heard<pulse_report>();
    const auto waited = std::find_if(said.begin(), said.end(), [](const auto& r) { return r.opening == 8; });
    REQUIRE(waited != said.end());
    CHECK((waited->result == pulse_result::held_back || waited->result == pulse_result::not_sent));
}

TEST_CASE("bus master: a line that goes while a coil is on: the first thing its board hears is that all relays drop") {
    bench b(settings_of(2, pulse_kind::on_off));
    b.run_until(500);
    b.master.order({7, 1, 2, b.now + 5000, 2500});
    b.run_until(b.now + 100);
    b.line_works = false;
    b.run_until(b.now + 3000);
    b.line_works = true;
    b.asked.clear();
    b.run_until(b.now + 3000);
    const auto opened =
        std::find_if(b.asked.begin(), b.asked.end(), [](const auto& a) { return a.what != line_action::kind::open; });
    REQUIRE(opened != b.asked.end());
    CHECK(opened->what == line_action::kind::drop);
    CHECK(opened->board == 1);
    CHECK(b.times(line_action::kind::release).size() <= 1);
}

TEST_CASE("bus master: a coil is on for as long as its board cannot hear, and hardly longer, whoever else is opened") {
    for (const bool others : {false, true}) {
        for (const std::int64_t deaf : {100, 300, 700, 2000, 5000}) {
            CAPTURE(deaf);
            CAPTURE(others);
            auto s = settings_of(2, pulse_kind::on_off);
            s.boards[1].profile.pulse = pulse_kind::flash_coil;
            s.locks[1].supply = 1;
            s.locks[1].limits = {500, 1000, 0, 60};
            bench b(s);
            b.run_until(5000);
            b.master.order({7, 1, 1, b.now + 5000, 0});
            b.run_until(b.now + 450);
            const auto on = b.times(line_action::kind::pulse).back();
            b.silent[0] = true;
            const auto hears = b.now + deaf;
            const auto run = [&](std::int64_t end) {
                for (int i = 0; others && b.now + 1000 < end; ++i) {
                    b.master.order({8 + i, 1, 2, b.now + 500, 2500});
                    b.run_until(b.now + 1000);
                }
                b.run_until(end);
            };
            run(hears);
            b.silent[0] = false;
            b.asked.clear();
            b.asked_at.clear();
            run(b.now + 2000);
            const auto off = std::find_if(b.asked.begin(), b.asked.end(), [](const auto& a) {
                return a.board == 0 && (a.what == line_action::kind::release || a.what == line_action::kind::drop);
            });
            REQUIRE(off != b.asked.end());
            const auto at = b.asked_at[static_cast<std::size_t>(off - b.asked.begin())];
            CHECK(at - on <= std::max<std::int64_t>(500, hears - on) + 300);
        }
    }
}

TEST_CASE("bus master: a pulse that was refused may be on all the same: it is switched off") {
    bench b(settings_of(1, pulse_kind::on_off));
    b.refuses_pulses = true;
    b.run_until(500);
    b.master.order({7, 1, 1, b.now + 5000, 0});
    b.run_until(b.now + 3000);
    CHECK(b.times(line_action::kind::release).size() == 1);
}

TEST_CASE("bus master: a board that cannot be told to switch off does not keep its neighbour's coil on") {
    auto s = settings_of(2, pulse_kind::on_off);
    s.locks[1].supply = 1;
    bench b(s);
    b.run_until(500);
    b.master.order({7, 1, 1, b.now + 5000, 0});
    b.master.order({8, 1, 2, b.now + 5000, 0});
    b.run_until(b.now + 300);
    b.silent[0] = true;
    b.run_until(b.now + 3000);
    const auto on = b.times(line_action::kind::pulse).at(1);
    std::int64_t off = 0;
    for (std::size_t i = 0; i < b.asked.size(); ++i) {
        if (b.asked[i].what == line_action::kind::release && b.asked[i].board == 1) {
            off = b.asked_at[i];
        }
    }
    CHECK(off - on >= 500);
    CHECK(off - on <= 600);
}
