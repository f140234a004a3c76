// A door that is opened from afar by staff: asked for with a reason, approved by a second person, done by two grants.
// What was asked, by whom and what came of it is kept as long as the access log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "portal/server/domain/office.hpp"
#include "portal/server/domain/staff.hpp"

namespace locker::portal {

enum class remote_state : std::uint8_t {
    asked,      // waits for a second person, ten minutes at most
    approved,   // told to the cabinet; how it ended is not known (yet)
    done,       // it answered: `outcome` is "opened" or its refusal
    withdrawn,  // by whoever asked, or refused by a second person
    expired,
};
[[nodiscard]] std::string_view name(remote_state state);

struct remote_opening {
    std::string id;
    std::string cabinet;
    int door = 0;
    std::string reason;
    std::string asked_by;     // staff numbers
    std::string approved_by;  // or who refused
    remote_state state = remote_state::asked;
    std::string outcome;
    std::int64_t created_ms = 0;
    std::int64_t settled_ms = 0;
};

inline constexpr std::int64_t remote_waits_ms = 10 * minute;
// An account is a second person once it is this old: who has just made it, or given it a new password, could be both.
inline constexpr std::int64_t remote_account_age_ms = day;
inline constexpr std::size_t remote_asked_most = 5;      // of one person, waiting at a time
inline constexpr std::size_t remote_reason_bytes = 200;  // it travels in a grant

// All of them in the caller's transaction. Errors: malformed, unknown_cabinet, not_permitted, wrong_state, busy.
[[nodiscard]] result<remote_opening> ask_remote(office& o, const staff_account& who, const std::string& cabinet,
                                                int door, const std::string& reason);
// By another person than asked: the grants may be signed once this is committed.
[[nodiscard]] result<remote_opening> approve_remote(office& o, const staff_account& who, const std::string& id);
[[nodiscard]] result<remote_opening> withdraw_remote(office& o, const staff_account& who, const std::string& id);
void settle_remote(office& o, const std::string& id, const std::string& outcome);

// Of the cabinets where they work: those that wait, and the latest others, newest first.
[[nodiscard]] std::vector<remote_opening> remote_openings(office& o, const staff_account& who, std::size_t most);

}  // namespace locker::portal
