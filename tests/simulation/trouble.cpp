// Faults that come and go. Each seed knows a random part of them, at random times and rates.
#include <array>

#include "tests/simulation/town.hpp"

namespace sim {

struct town::fault {
    const char* name;
    bool swarm::*known;
    void (*begin)(town&, std::int64_t lasts);
};

namespace {

using contact = door::contact;

}  // namespace

actor town::trouble() {
    static const std::array<fault, 23> faults{{
        {"keys_missed", &swarm::clumsy, [](town& t, std::int64_t) { t.process_->front.lose_keys(); }},
        {"mains_gone", &swarm::boards,
         [](town& t, std::int64_t lasts) {
             t.hardware_.mains_gone = true;
             t.hardware_.touch();
             t.world_.after(lasts, [&t] {
                 t.hardware_.mains_gone = false;
                 t.hardware_.touch();
             });
         }},
        {"inside_open", &swarm::contacts,
         [](town& t, std::int64_t lasts) {
             t.hardware_.inside_open = true;
             t.hardware_.touch();
             t.world_.after(t.world_.rng.chance(300) ? 300 : lasts, [&t] {
                 t.hardware_.inside_open = false;
                 t.hardware_.touch();
             });
         }},
        {"front_unplugged", &swarm::boards, [](town& t, std::int64_t lasts) { t.process_->front.unplug(lasts); }},
        {"front_flooded", &swarm::clumsy, [](town& t, std::int64_t) { t.process_->front.flood(); }},
        {"line_pulled", &swarm::line,
         [](town& t, std::int64_t lasts) {
             t.hardware_.line_pulled = true;
             t.hardware_.touch();
             t.world_.after(lasts, [&t] {
                 t.hardware_.line_pulled = false;
                 t.hardware_.touch();
             });
         }},
        {"board_silent", &swarm::boards, [](town& t, std::int64_t lasts) { t.board_silent_for(t.any_board(), lasts); }},
        {"board_rebooted", &swarm::boards,
         [](town& t, std::int64_t) {
             const auto board = t.any_board();
             t.board_silent_for(board, t.world_.rng.between(100, 3000));
         }},
        {"board_flaky", &swarm::boards,
         [](town& t, std::int64_t lasts) {
             auto& b = t.hardware_.boards[t.any_board()];
             b.garbled = static_cast<int>(t.world_.rng.between(1, 300));
             b.mute = static_cast<int>(t.world_.rng.between(1, 300));
             t.hardware_.touch();
             t.world_.after(std::min<std::int64_t>(lasts, minute), [&t, &b] {
                 b.garbled = b.mute = 0;
                 t.hardware_.touch();
             });
         }},
        {"contact", &swarm::contacts,
         [](town& t, std::int64_t lasts) {
             auto& d = t.any_door();
             t.auditor_.contacts_faulty = true;
             constexpr std::array kinds{contact::stuck_open, contact::stuck_shut, contact::inverted};
             d.feedback = kinds.at(static_cast<std::size_t>(t.world_.rng.below(3)));
             t.hardware_.touch();
             t.world_.after(lasts, [&t, &d] {
                 d.feedback = contact::good;
                 t.hardware_.touch();
             });
         }},
        {"jam", &swarm::jams,
         [](town& t, std::int64_t lasts) {
             auto& d = t.any_door();
             d.jammed = true;
             t.world_.after(lasts, [&d] { d.jammed = false; });
         }},
        {"door_torn_open", &swarm::contacts,
         [](town& t, std::int64_t lasts) {
             const int n = t.any_door().number;
             if (t.hardware_.at(n).open) {
                 return;  // there is nothing to tear open, nor for whoever did it to shut
             }
             t.auditor_.contacts_faulty = true;
             t.hardware_.set_open(n);
             t.world_.after(std::min(lasts, 10 * minute), [&t, n] { t.hardware_.shut(n); });
         }},
        {"broker_gone", &swarm::broker,
         [](town& t, std::int64_t lasts) {
             t.broker_.reachable = false;
             t.broker_.break_connection();
             t.world_.after(lasts, [&t] { t.broker_.reachable = true; });
         }},
        {"broker_flaky", &swarm::broker,
         [](town& t, std::int64_t lasts) {
             auto& b = t.broker_;
             b.drops = static_cast<int>(t.world_.rng.between(1, 200));
             b.duplicates = static_cast<int>(t.world_.rng.between(1, 300));
             b.late = static_cast<int>(t.world_.rng.between(0, 200));
             b.slowest_ms = t.world_.rng.between(10, 3000);
             t.world_.after(lasts, [&b] { b.calm(); });
         }},
        {"clock_steps", &swarm::clock,
         [](town& t, std::int64_t lasts) {
             t.auditor_.clock_faulty = true;
             t.process_->clock.synchronised = t.world_.rng.chance(300);
             const std::int64_t unit = t.world_.rng.chance(500) ? day : minute;
             t.process_->clock.offset_ms = t.world_.rng.between(-3, 3) * unit;
             t.world_.after(lasts, [&t] { t.process_->clock.right(); });
         }},
        {"clock_drifts", &swarm::clock,
         [](town& t, std::int64_t lasts) {
             t.auditor_.clock_faulty = true;
             t.process_->clock.synchronised = false;
             t.process_->clock.drift(t.world_.rng.between(-20'000, 20'000));
             t.world_.after(lasts, [&t] { t.process_->clock.right(); });
         }},
        {"disk", &swarm::disk,
         [](town& t, std::int64_t lasts) {
             t.disk_.write_fails = static_cast<int>(t.world_.rng.between(0, 100'000));
             t.disk_.sync_fails = static_cast<int>(t.world_.rng.between(0, 300'000));
             t.disk_.read_fails = static_cast<int>(t.world_.rng.between(0, 20'000));
             t.world_.after(lasts, [&t] { t.disk_.write_fails = t.disk_.sync_fails = t.disk_.read_fails = 0; });
         }},
        {"disk_full", &swarm::full,
         [](town& t, std::int64_t lasts) {
             t.process_->space_is_low = true;
             t.disk_.full = t.world_.rng.chance(500);
             t.world_.after(std::min(lasts, 10 * minute), [&t] { t.process_->space_is_low = t.disk_.full = false; });
         }},
        {"disk_slow", &swarm::slow,
         [](town& t, std::int64_t lasts) {
             t.disk_.slowest_sync_ms = t.world_.rng.between(100, 8000);
             t.world_.after(lasts, [&t] { t.disk_.slowest_sync_ms = 0; });
         }},
        {"kill", &swarm::kills, [](town& t, std::int64_t) { t.process_->kill(); }},
        {"power", &swarm::powers, [](town& t, std::int64_t) { t.process_->power(); }},
        {"power_at_a_port", &swarm::powers,
         [](town& t, std::int64_t) {  // in the middle of whatever comes, and perhaps again in recovery
             const auto first = t.world_.port_calls + static_cast<std::uint64_t>(t.world_.rng.between(1, 200));
             t.world_.cuts = {first};
             if (t.world_.rng.chance(300)) {
                 t.world_.cuts.push_back(first + static_cast<std::uint64_t>(t.world_.rng.between(1, 60)));
             }
         }},
        {"stop", &swarm::stops, [](town& t, std::int64_t) { t.process_->stop(); }},
    }};
    for (const auto& f : faults) {
        world_.met[std::string("fault.") + f.name] += 0;  // never met is told, too
    }
    for (;;) {
        co_await pause{world_, world_.rng.between(1, 90) * minute};
        const auto& f = faults.at(static_cast<std::size_t>(world_.rng.below(faults.size())));
        const std::int64_t lasts =
            world_.rng.chance(500) ? world_.rng.between(50, 20'000) : world_.rng.between(1, 60) * minute;
        if (!peaceful_ && swarm_.*f.known) {
            world_.note(std::string("fault.") + f.name);
            f.begin(*this, lasts);
        }
    }
}

// Right after a pulse, before anybody knows what came of it.
void town::worst_moment(std::size_t board) {
    auto& rng = world_.rng;
    if (swarm_.kills && rng.chance(40)) {
        world_.after(rng.between(0, 300), [this] { process_->kill(); });
    }
    if (swarm_.powers && rng.chance(40)) {
        world_.after(rng.between(0, 300), [this] { process_->power(); });
    }
    if (swarm_.boards && rng.chance(60)) {
        world_.note("fault.board_silent_after_pulse");
        board_silent_for(board, rng.between(1000, 20'000));
    }
}

void town::board_silent_for(std::size_t board, std::int64_t ms) {
    hardware_.boards[board].silent = true;
    hardware_.touch();
    world_.after(ms, [this, board] {
        hardware_.boards[board].silent = false;
        hardware_.touch();
    });
}

door& town::any_door() {
    return hardware_
        .doors[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(hardware_.doors.size())))];
}

std::size_t town::any_board() {
    return static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(hardware_.boards.size())));
}

void town::end_trouble() {
    world_.cuts.clear();
    swarm_ = {};
    peaceful_ = true;
    hardware_.line_pulled = hardware_.mains_gone = hardware_.inside_open = false;
    for (auto& b : hardware_.boards) {
        b.silent = false;
        b.garbled = b.mute = 0;
    }
    hardware_.pulse_replies_lost = 0;
    process_->front.clumsy = false;
    broker_.reachable = true;
    broker_.usual_duplicates = broker_.usual_late = 0;
    broker_.calm();
    disk_.write_fails = disk_.sync_fails = disk_.read_fails = 0;
    disk_.slowest_sync_ms = 0;
    disk_.full = process_->space_is_low = false;
    process_->clock.right();
    for (auto& d : hardware_.doors) {
        d.jammed = false;
        d.feedback = contact::good;
    }
    hardware_.touch();
    world_.note("peace");
}

}  // namespace sim
