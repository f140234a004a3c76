#include "daemon/core/doors.hpp"

namespace locker::core {
namespace {

// A pulse that nobody acknowledged may move its lock so long after the opening was given up.
constexpr std::int64_t late_pulse = 10 * second;

bool has_opening(const work& w, int compartment) {
    return std::any_of(w.s.d.openings.begin(), w.s.d.openings.end(),
                       [&](const auto& o) { return o.second.compartment == compartment; });
}

}  // namespace

contact contact_of(const work& w, int compartment) {
    const auto& wired = w.configured(compartment);
    const auto at = w.s.l.contacts.find(compartment);
    if (wired.contact == contact_kind::none || at == w.s.l.contacts.end() ||
        !w.s.l.boards.at(static_cast<std::size_t>(wired.contact_board)).present) {
        return {};
    }
    return at->second;
}

void advance_doors(work& w) {
    for (auto& [number, c] : w.s.d.compartments) {
        const auto reads = contact_of(w, number);
        if (!reads.known || has_opening(w, number)) {
            continue;
        }
        if (c.door == door_state::unknown && reads.first) {  // nothing moved: it is as it is found
            c.door = reads.open ? door_state::open : door_state::closed;
            continue;
        }
        if (!reads.open) {
            if (c.door != door_state::closed && w.due(reads.since + w.config.rules.rest)) {
                c.door = door_state::closed;
            }
            continue;
        }
        if (c.door == door_state::open || !w.due(reads.since + w.config.rules.forced_after)) {
            continue;
        }
        // A cabinet never seen before may start with open doors; a doubtful opening of late explains one.
        const bool explained = c.door == door_state::unknown ||
                               (c.doubt && w.age - c.last_used < w.config.rules.opening_limit + late_pulse);
        c.door = door_state::open;
        if (explained) {
            continue;
        }
        c.forced_ms = w.wall;
        event_data data;
        data.compartment = number;
        if (!c.deposit.empty()) {
            data.deposit = c.deposit;
        }
        w.say(event_type::door_forced, subject_of(number), data);
        if (c.deposit.empty()) {
            suspect(w, c, forced_open);
        } else {
            c.doubt = true;  // something may have been taken, or put in: retrievable, and looked into
        }
    }
}

}  // namespace locker::core
