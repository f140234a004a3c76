#include "tests/simulation/hardware.hpp"

#include <algorithm>

namespace sim {

using locker::line_action;
using locker::line_answer;
using locker::line_result;

constexpr int every_channel = -1;
constexpr std::int64_t one_exchange_ms = 60;  // that was under way when the coil's time was over, and the release

bool hardware::quiet() const {
    return !line_pulled && std::all_of(boards.begin(), boards.end(),
                                       [](const relay_board& b) { return !b.silent && b.garbled == 0 && b.mute == 0; });
}

bool hardware::settled() const {
    return on_.empty() && std::none_of(doors.begin(), doors.end(), [](const door& d) { return d.bouncing; });
}

void hardware::set_open(int number) {
    auto& d = at(number);
    if (d.open) {
        return;
    }
    d.open = true;
    d.opened_at = world_.now;
    world_.note("door.open", std::to_string(number));
    auditor_.door_opened(number);
    touch();
}

void hardware::shut(int number) {
    auto& d = at(number);
    if (!d.open) {
        return;
    }
    d.open = false;
    world_.note("door.shut", std::to_string(number));
    if (world_.rng.chance(300)) {  // the contact bounces
        d.bouncing = true;
        ++world_.met["fault.contact_bounces"];
        world_.after(world_.rng.between(20, 400), [this, number] {
            at(number).bouncing = false;
            touch();
        });
    }
    touch();
}

std::uint32_t hardware::inputs(std::size_t board) const {
    std::uint32_t bits = 0;
    for (const auto& d : doors) {
        if (d.board != board || !d.wired) {
            continue;
        }
        bool shut = !d.open;
        if (d.feedback == door::contact::stuck_shut || d.feedback == door::contact::stuck_open) {
            shut = d.feedback == door::contact::stuck_shut;
        } else if (d.bouncing != (d.feedback == door::contact::inverted)) {
            shut = !shut;
        }
        bits |= shut == d.closed_level ? 1U << d.channel : 0U;
    }
    if (board == 0) {
        bits |= mains_gone ? 0U : 1U << mains_channel;
        bits |= inside_open ? 1U << tamper_channel : 0U;
    }
    return bits;
}

std::int64_t hardware::cost(const line_action& action) const {
    if (action.what == line_action::kind::open || line_pulled) {
        return 2;
    }
    return boards[action.board].silent ? (action.timeout_us + 999) / 1000 : 20;
}

line_answer hardware::execute(const line_action& action, const locker::bus_settings& bus) {
    if (action.what == line_action::kind::open) {
        world_.port_or_die(line_pulled ? "line.open_failed" : "line.open");
        forget_drops();
        return line_pulled ? line_answer{line_result::not_sent, 0, 0, false, "no such device"} : line_answer{};
    }
    if (line_pulled) {
        disturb(action.board);
        return {line_result::not_sent, 0, 0, false, ""};
    }
    auto& b = boards[action.board];
    if (b.silent || world_.rng.chance(b.garbled)) {
        disturb(action.board);
        world_.port_or_die("board.silent");
        return {line_result::silent, 0, 0, true, ""};
    }
    overdue_coils(action);
    line_answer answer;
    answer.took_us = 20'000;
    if (action.what == line_action::kind::drop) {
        b.dropped = true;
        switched_off(action.board, every_channel);
    } else if (!b.dropped) {
        throw violation("I9 a board was spoken to before its relays were dropped");
    }
    if (action.what == line_action::kind::output) {
        const bool drives_a_lock = std::any_of(bus.locks.begin(), bus.locks.end(), [&](const auto& l) {
            return static_cast<std::size_t>(l.relay_board) == action.board && l.relay_channel == action.channel;
        });
        if (drives_a_lock || action.length_ms > 2000) {
            throw violation("I9 a signal reached a lock, or would never end");
        }
        world_.note("line.output", std::to_string(action.length_ms));
        switched_on(action, bus);
    }
    if (action.what == line_action::kind::release) {
        switched_off(action.board, action.channel);
    }
    if (action.what == line_action::kind::pulse) {
        switched_on(action, bus);
        energise(action.board, action.channel, action.length_ms, bus);
    } else if (action.what == line_action::kind::read) {
        answer.bits = inputs(action.board);
    }
    const bool moved = action.what == line_action::kind::pulse;
    if (world_.rng.chance(moved ? std::max(b.mute, pulse_replies_lost) : b.mute)) {
        if (moved) {
            ++world_.met["fault.reply_lost_after_the_relay_moved"];
        }
        world_.port_or_die("board.answer_lost");
        return {line_result::silent, 0, 0, true, ""};
    }
    if (action.what == line_action::kind::pulse) {
        world_.port_or_die("line.pulse_answered");
    }
    return answer;
}

void hardware::switched_on(const line_action& action, const locker::bus_settings& bus) {
    if (bus.boards[action.board].profile.pulse == locker::pulse_kind::on_off) {
        switched_off(action.board, action.channel);
        on_.push_back({action.board, action.channel, world_.now + action.length_ms, false});
        ++world_.met[action.what == line_action::kind::pulse ? "line.held_pulse" : "line.held_output"];
    }
}

// The bus master switches off what no timer does, in time, whatever else the line carries.
void hardware::switched_off(std::size_t board, int channel) {
    std::erase_if(on_, [&](const coil& c) {
        const bool this_one = c.board == board && (channel == every_channel || c.channel == channel);
        if (this_one && !c.disturbed && world_.now > c.off_by + one_exchange_ms) {
            throw violation("I9 a coil stayed on " + std::to_string(world_.now - c.off_by) +
                            " ms longer than its pulse");
        }
        return this_one;
    });
}

// A board that hears is told to switch off before anything else.
void hardware::overdue_coils(const line_action& action) const {
    const bool ends = action.what == line_action::kind::drop || action.what == line_action::kind::release;
    for (const auto& c : on_) {
        const bool told_else = c.board == action.board && !ends;
        if (world_.now > c.off_by + one_exchange_ms && (told_else || !c.disturbed)) {
            throw violation("I9 a coil is on " + std::to_string(world_.now - c.off_by) + " ms after its pulse");
        }
    }
}

void hardware::disturb(std::size_t board) {
    for (auto& c : on_) {
        c.disturbed = c.disturbed || c.board == board;
    }
}

void hardware::energise(std::size_t board, int channel, std::int64_t length_ms, const locker::bus_settings& bus) {
    const auto lock = std::find_if(bus.locks.begin(), bus.locks.end(), [&](const auto& l) {
        return static_cast<std::size_t>(l.relay_board) == board && l.relay_channel == channel;
    });
    const int number = lock->compartment;
    world_.port("line.pulse", std::to_string(number) + " " + std::to_string(length_ms));
    auditor_.pulse_left(number, length_ms, lock->limits.pulse_max_ms, lock->supply);
    if (!at(number).jammed) {
        world_.after(world_.rng.between(40, 250), [this, number] { set_open(number); });
    }
    if (pulsed) {
        pulsed(board);
    }
    if (world_.power_lost) {
        throw power_cut{};
    }
}

}  // namespace sim
