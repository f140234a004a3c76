// The life of a deposit outside of its openings: reserved, confirmed, cancelled, moved, its codes revoked, overdue.
#pragma once

#include "daemon/core/work.hpp"
#include "protocol/json.hpp"

namespace locker::core {

// What is done at once: its result as a JSON object.
using verdict = reading<std::string>;

// A place for papers. `compartment` 0: whichever fits.
struct stay {
    std::string deposit;
    deposit_kind kind = deposit_kind::intake;
    std::string case_id;
    box_size size = box_size::small;
    bool accessible = false;
    int compartment = 0;
    std::string by;
};

// The compartment to open for it: a new reservation's, or that of a deposit that is reserved or deposited. Errors:
// wrong_state, storage_failed, unknown_compartment, disabled, no_vacancy, and what hinders an opening.
[[nodiscard]] reading<int> place_for(work& w, const stay& wanted);

[[nodiscard]] refusal unknown_or_ended(const work& w, std::string_view deposit);

[[nodiscard]] verdict confirm_deposit(work& w, const std::string& id, std::string_view by);
[[nodiscard]] verdict cancel_deposit(work& w, const std::string& id);

// Why a door is suspected whose deposit was moved away.
inline constexpr std::string_view moved_away = "its papers were found behind another door";

// Rebinds a deposit to the door where it truly lies. The door it was bound to is suspected from then on.
[[nodiscard]] verdict move_deposit(work& w, const std::string& id, int to, const std::string& by);

// Issues below `issue_min` open nothing from then on.
[[nodiscard]] verdict revoke_issues(work& w, const std::string& id, std::uint64_t issue_min, const std::string& by);

// Reservations that end, deposits that get overdue, reminders, graces that are over.
void advance_deposits(work& w);

// Papers may lie there and nobody has said so: it waits for staff.
[[nodiscard]] bool is_unconfirmed(const work& w, const deposit& d);

}  // namespace locker::core
