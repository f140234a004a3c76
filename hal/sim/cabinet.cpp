#include "hal/sim/cabinet.hpp"

namespace sim {

cabinet::cabinet(const config& c) : push_after_ms_(c.push_after_ms), seed_(c.seed * 2 + 1) {
    for (const auto& d : c.doors) {
        door one;
        one.wired = d;
        doors_.push_back(one);
    }
}

std::uint64_t cabinet::chance() {  // splitmix64
    seed_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = seed_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
}

door* cabinet::find(int number) {
    for (auto& d : doors_) {
        if (d.wired.number == number) {
            return &d;
        }
    }
    return nullptr;
}

bool cabinet::input(int board, int channel) {
    // Contacts that share an input are in series: one that is away from its rest is enough.
    const auto driven = driven_.find({board, channel});
    bool level = driven != driven_.end() && driven->second;
    for (auto& d : doors_) {
        if (d.wired.input_board != board || d.wired.input != channel) {
            continue;
        }
        if (d.cut) {
            return false;
        }
        level = d.open != d.wired.closed_level;
        level = last_ < d.chatter_until ? (chance() & 1U) != 0 : level;
        if (level != d.wired.closed_level) {
            return level;
        }
    }
    return level;
}

void cabinet::push_shut(door& d) {
    if (d.open && d.moves_at < 0) {
        d.moves_at = last_ + 150;  // a hand's time
        d.moves_open = false;
    }
}

void cabinet::pull_open(door& d) {
    d.latched = false;
    d.moves_at = last_ + 1;
    d.moves_open = true;
}

void cabinet::step(door& d, std::int64_t now, bool coil) {
    if (!coil) {
        d.coil_since = -1;
    } else if (d.coil_since < 0) {
        d.coil_since = now;
    }
    const bool pulls = d.coil_since >= 0 && now - d.coil_since >= d.wired.pull_ms + d.slower_ms && !d.jammed;
    if (pulls && !d.open && d.moves_at < 0) {
        d.latched = false;
        ++d.openings;
        d.moves_at = now + d.wired.swing_ms;
        d.moves_open = true;
    }
    if (d.moves_at >= 0 && now >= d.moves_at) {
        d.moved_ms = d.moves_at;
        d.moves_at = -1;
        d.open = d.moves_open;
        d.chatter_until = now + d.wired.bounce_ms;
        if (d.open) {
            d.opened_at = now;
        } else {
            d.latched = !pulls;
        }
    }
    if (d.open && d.moves_at < 0) {
        const std::int64_t open_for = now - d.opened_at;
        if ((d.self_shut_ms > 0 && open_for >= d.self_shut_ms) || (push_after_ms_ > 0 && open_for >= push_after_ms_)) {
            d.moves_at = now + 1;
            d.moves_open = false;
        }
    }
}

}  // namespace sim
