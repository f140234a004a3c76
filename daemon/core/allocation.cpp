#include "daemon/core/allocation.hpp"

#include <tuple>

#include "daemon/core/locks.hpp"

namespace locker::core {

bool allocatable(const work& w, const compartment& c) {
    const auto& wired = w.configured(c.number);
    const auto reads = w.s.l.contacts.find(c.number);
    const bool door_shut =
        wired.contact == contact_kind::none ||
        (c.door == door_state::closed && reads != w.s.l.contacts.end() && reads->second.known && !reads->second.open);
    const auto reachable = [&](int board) { return w.s.l.boards.at(static_cast<std::size_t>(board)).present; };
    const bool opening = std::any_of(w.s.d.openings.begin(), w.s.d.openings.end(), [&](const auto& o) {
        return o.second.compartment == c.number && o.second.result == outcome::pending;
    });
    return use_of(w.s.d, c) == use_state::vacant && c.lock == lock_state::ok && c.forced_ms == 0 && door_shut &&
           c.hold_until <= w.age && !opening && reachable(wired.relay_board) &&
           (wired.contact == contact_kind::none || reachable(wired.contact_board));
}

int allocate(const work& w, const wish& wanted) {
    std::size_t vacant = 0;
    const compartment* best = nullptr;
    const auto rank = [&](const compartment& c) {
        const auto lock = w.s.d.locks.find(c.number);
        const bool worn = lock != w.s.d.locks.end() && is_worn(lock->second);  // spared, while another will do
        return std::tuple(worn, w.configured(c.number).size, c.last_used, c.number);
    };
    for (const auto& [number, c] : w.s.d.compartments) {
        if (!allocatable(w, c)) {
            continue;
        }
        ++vacant;
        const auto& wired = w.configured(number);
        if (wired.size < wanted.size || (wanted.accessible && !wired.accessible)) {
            continue;
        }
        if (best == nullptr || rank(c) < rank(*best)) {
            best = &c;
        }
    }
    const std::size_t total = w.s.d.compartments.size();
    const bool reserve_only = vacant <= 1 || vacant * 10 <= total;
    if (best == nullptr || (wanted.kind == deposit_kind::intake && !wanted.admitted && reserve_only)) {
        return 0;
    }
    return best->number;
}

}  // namespace locker::core
