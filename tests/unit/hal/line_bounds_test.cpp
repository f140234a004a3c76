// How soon a door is known and a pulse leaves: the bounds of docs/line.md, on a line of virtual time with real byte
// times.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "hal/line/bus_master.hpp"
#include "hal/line/timing.hpp"

using namespace locker;

namespace {

constexpr int inputs_a_board = 16;
constexpr int gap_characters = 5;

board_profile kind() {
    board_profile p;
    p.relays = inputs_a_board;
    p.inputs = inputs_a_board;
    p.timeout_ms = 150;
    p.gap_characters = gap_characters;
    p.pulse_max_units = 30;
    return p;
}

bus_settings settings_of(int doors, int baud) {
    bus_settings s;
    s.line.name = "line";
    s.line.device = "/dev/x";
    s.line.baud = baud;
    for (int b = 0; b * inputs_a_board < doors; ++b) {
        s.boards.push_back({b, "board" + std::to_string(b), b + 1, kind()});
    }
    for (int d = 0; d < doors; ++d) {
        s.locks.push_back({d + 1, d / inputs_a_board, d % inputs_a_board, d / inputs_a_board, d + 1, {}});
    }
    return s;
}

// Microseconds. An input is what it was when the board had the whole question.
struct line {
    line(const bus_settings& s, int dead) : settings(s), master(s, guard), alive(s.boards.size(), true) {
        for (int i = 0; i < dead; ++i) {
            alive[alive.size() - 1 - static_cast<std::size_t>(i)] = false;
        }
    }
    const bus_settings& settings;
    governor guard;
    bus_master master;
    std::vector<bool> alive;
    std::int64_t now = 0;

    std::size_t watched_board = 0;  // whose input changes …
    std::int64_t change_at = INT64_MAX;
    std::int64_t seen_at = -1;   // … and when that was known
    std::int64_t pulse_at = -1;  // when the first bit of the last pulse left

    [[nodiscard]] std::int64_t turnaround() const { return standard_silence_us(settings.line); }
    [[nodiscard]] std::int64_t read() const {
        return read_us(settings.line, inputs_a_board, gap_characters, turnaround());
    }
    void step() {
        const auto a = master.next(now / 1000);
        if (a.what == line_action::kind::wait) {
            now = std::max(now + 1000, std::min(a.until * 1000, now + 1'000'000));
            return;
        }
        line_answer answer;
        if (a.what != line_action::kind::open) {
            const std::int64_t silence = silence_us(settings.line, gap_characters);
            const std::int64_t bytes =
                a.what == line_action::kind::read ? read_answer_bytes(inputs_a_board) : read_question_bytes;
            now += silence;
            if (a.what == line_action::kind::pulse) {
                pulse_at = now;
            }
            const std::int64_t heard = now + characters_us(settings.line, read_question_bytes);
            if (alive[a.board]) {
                const bool changed = heard >= change_at && a.board == watched_board;
                answer.bits = changed ? 1 : 0;
                answer.took_us = heard - now + turnaround() + characters_us(settings.line, bytes);
                now += answer.took_us;
                if (changed && a.what == line_action::kind::read && seen_at < 0) {
                    seen_at = now;
                }
            } else {
                answer.result = line_result::silent;
                now += a.timeout_us;
            }
        }
        master.done(answer, now / 1000);
        (void)master.take_reports();
    }
    void run_until(std::int64_t end) {
        while (now < end) {
            step();
        }
    }
};

struct found {
    std::vector<std::int64_t> contact;
    std::vector<std::int64_t> pulse;
};

std::int64_t at(std::vector<std::int64_t> sorted, double quantile) {
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1))];
}

found measure(line& l, int times) {
    std::mt19937_64 chance(7);  // the standard fixes what it yields
    found out;
    l.run_until(120'000'000);  // what is dead is known, and its pauses have grown
    for (int i = 0; i < times; ++i) {
        const auto living = static_cast<std::size_t>(std::count(l.alive.begin(), l.alive.end(), true));
        l.watched_board = static_cast<std::size_t>(chance() % living);
        l.run_until(l.now + static_cast<std::int64_t>(chance() % 1'000'000));
        l.change_at = l.now + static_cast<std::int64_t>(chance() % 300'000);
        l.seen_at = -1;
        while (l.seen_at < 0) {
            l.step();
        }
        out.contact.push_back(l.seen_at - l.change_at);
        l.change_at = INT64_MAX;
    }
    for (int i = 0; i < times / 10; ++i) {
        l.run_until(l.now + 20'000'000);  // cool-down, and the end of the watching
        const auto living = static_cast<std::size_t>(std::count(l.alive.begin(), l.alive.end(), true));
        const auto locks = std::min(living * inputs_a_board, l.settings.locks.size());
        const int lock = static_cast<int>(chance() % locks) + 1;
        // The order comes at some moment of the transaction that is under way when it does.
        const std::int64_t before = l.now;
        l.step();
        const std::int64_t ordered =
            before +
            static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(std::max<std::int64_t>(1, l.now - before)));
        l.master.order({i, 1, lock, l.now / 1000 + 5000, 100});
        l.pulse_at = -1;
        while (l.pulse_at < 0) {
            l.step();
        }
        out.pulse.push_back(l.pulse_at - std::max(before, ordered));
    }
    return out;
}

}  // namespace

TEST_CASE("line: a change of a contact is known within a cycle and a read, a pulse leaves after what is under way") {
    for (const int baud : {9600, 19200, 115200}) {
        for (const int doors : {24, 48, 96}) {
            for (const int dead : {0, 1, 2}) {
                const auto settings = settings_of(doors, baud);
                const auto boards = static_cast<int>(settings.boards.size());
                if (dead >= boards) {
                    continue;
                }
                CAPTURE(baud);
                CAPTURE(doors);
                CAPTURE(dead);
                line l(settings, dead);
                const auto m = measure(l, 2000);
                const std::int64_t rounding = 2000;  // the master reckons in milliseconds
                const std::int64_t cycle = (boards - dead) * l.read();
                // A dead board that was never heard is given the profile's whole timeout.
                const std::int64_t probe = dead == 0 ? 0 : silence_us(settings.line, gap_characters) + 150'000;
                CHECK(at(m.contact, 1.0) <= cycle + l.read() + dead * probe + rounding);
                CHECK(at(m.contact, 0.5) <= (cycle / 2 + l.read()) * 105 / 100 + rounding);
                CHECK(at(m.contact, 0.98) <= (cycle * 98 / 100 + l.read()) * 105 / 100 + rounding);
                CHECK(at(m.pulse, 1.0) <=
                      std::max(l.read(), probe) + silence_us(settings.line, gap_characters) + rounding);
            }
        }
    }
}
