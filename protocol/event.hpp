// Events: what the ledger holds and the broker carries, one row each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locker {

enum class event_type : std::uint8_t {
    deposit_reserved,
    deposit_deposited,
    deposit_confirmed,
    deposit_retrieved,
    deposit_cancelled,
    deposit_expired,
    deposit_overdue,
    deposit_reminder,
    deposit_reclaimed,
    deposit_moved,
    opening_authorised,
    opening_opened,
    opening_closed,
    opening_jammed,
    opening_interrupted,
    opening_unknown,
    credential_refused,
    credential_locked_out,
    credential_suspended,
    credential_revoked,
    staff_signed_in,
    staff_signed_out,
    door_forced,
    door_held_open,
    lock_quarantined,
    lock_released,
    lock_worn,
    compartment_disabled,
    compartment_enabled,
    compartment_suspected,
    compartment_settled,
    board_lost,
    board_recovered,
    input_changed,
    clock_trusted,
    clock_untrusted,
    clock_stepped,
    storage_low,
    storage_failed,
    daemon_started,
    daemon_stopping,
    cabinet_wired,
    opening_mechanical,
    ledger_pruned,
    ledger_examined,
};
inline constexpr std::size_t event_type_count = 45;

// "deposit.reserved"; the CloudEvents type is "locker." before it.
[[nodiscard]] std::string_view name(event_type type);

// The `data` of an event. Members that do not apply are left out on the wire.
struct event_data {
    std::optional<std::string> deposit;
    std::optional<std::string> case_id;
    std::optional<std::string_view> kind;
    std::optional<int> compartment;
    std::optional<std::int64_t> opening;
    std::optional<std::string> by;                    // code | staff:<n> | grant:<jti>
    std::optional<std::string> reason;                // of refusals and suspicions
    std::optional<std::string> via;                   // mqtt | keypad | scanner | socket
    std::optional<std::string> purpose;               // of an opening: deposit | collect | open | settle
    std::optional<std::string> staff;                 // the number that was signed in or out, suspended, freed
    std::optional<std::string> second;                // grant:<jti> of the second person, where two are asked for
    std::optional<std::int64_t> until;                // wall time: when a suspension ends
    std::optional<std::int64_t> document;             // version of a roster or a ring of keys
    std::optional<std::vector<std::string>> removed;  // numbers or kids that it no longer names
    std::optional<std::int64_t> issue_min;            // a deposit's earlier issues are revoked
    std::optional<std::int64_t> before;               // wall time: grants issued earlier are revoked
    std::optional<std::int64_t> step_ms;              // how far the clock jumped
    std::optional<int> from;                          // compartment a deposit moved from
    std::optional<std::int64_t> after;                // the opening this one follows
    std::optional<std::int64_t> open_ms;              // how long the door was open
    std::optional<std::int64_t> out_ms;               // how long a board did not answer
    std::optional<std::int64_t> recent_ms;            // from pulse to door, over a lock's last openings …
    std::optional<std::int64_t> usual_ms;             // … and as it was learnt
    std::optional<std::int64_t> retries;              // pulses beyond the first, so far
    std::optional<bool> bounced;                      // shut again within the bounce time: nothing changed
    std::optional<bool> recovered;                    // found after a restart
    std::optional<bool> unseen;                       // shut while nobody watched
    std::optional<std::int64_t> count;                // refusals that this row stands for
    std::optional<std::string> board;
    std::optional<std::string> record;  // of a wiring: JSON, and its HMAC under the cabinet's key, hex
    std::optional<std::string> signature;
    std::optional<std::string> input;    // mains | tamper
    std::optional<std::string> state;    // of that input: lost, present | open, closed
    std::optional<std::uint64_t> first;  // of rows that left the ledger …
    std::optional<std::uint64_t> last;
    std::optional<std::string> hash;  // … and the last one's, hex
    std::optional<std::string> version;
    std::optional<std::string> epoch;
};

// The JSON of `data`, members in a fixed order: what is hashed is what is sent.
[[nodiscard]] std::string encode(const event_data& data);

}  // namespace locker
