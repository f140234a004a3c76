// Deliberate defects, to show that the simulation finds each of them: a guarantee whose check cannot fail is worth
// nothing. Compiled in with LOCKER_CANARIES alone (tests/simulation); in what ships every question below is `false`.
#pragma once

#include <cstdint>

namespace locker {

enum class canary : std::uint8_t {
    none,
    pulse_before_commit,          // I1
    pulse_on_boot,                // I2
    expired_grants_open,          // I3
    two_outcomes,                 // I4
    mark_without_ack,             // I5: events count as published when they are sent
    throttle_in_memory,           // I6
    grants_used_twice,            // I6
    chain_starts_anew,            // I7
    sync_normal,                  // I5, I8: SQLite with synchronous=NORMAL
    failed_commit_ignored,        // I8
    coil_on_for_a_minute,         // I9
    suspected_is_vacant,          // I10
    bounce_counts_as_taken,       // I10, I11
    overdue_is_given_up,          // I10, I11
    any_channel,                  // I3: a grant for the front opens over MQTT, and the other way round
    old_epochs_open,              // I3
    code_not_spent,               // I2
    lock_out_spares_right_codes,  // I3
    guesses_at_a_door_are_free,   // I6
    jammed_is_called_opened,      // I4
    relays_not_dropped,
    release_forgotten,       // I9
    revoked_issues_open,     // I3: codes
    revoked_grants_open,     // I3: grants
    revoked_keys_sign,       // I3: grants
    suspended_staff_enter,   // I3: staff codes
    old_staff_codes_enter,   // I3: staff codes
    sessions_never_end,      // I3: staff codes
    spent_codes_forgotten,   // I6: codes
    staff_codes_used_twice,  // I6: staff codes
    suspension_in_memory,    // I6: staff codes
    unpublished_rows_leave,  // I5
};

#ifdef LOCKER_CANARIES
inline canary sick_with = canary::none;
[[nodiscard]] inline bool sick(canary c) {
    return sick_with == c;
}
#else
[[nodiscard]] constexpr bool sick(canary) {
    return false;
}
#endif

}  // namespace locker
