// Staff: what the roster says of each number, what they type, and the sessions' words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/json.hpp"

namespace locker {

// What a role is made of. A roster's entry lists them.
enum class permit : std::uint8_t {
    collect_intake,   // open and take what residents put in
    deposit_return,   // put papers back for a case
    reclaim_overdue,  // take into custody what nobody fetched in time
    settle,           // look into a suspected compartment and answer for it
    move,             // rebind a deposit to the door where it truly lies
    maintain,         // open a door behind which no deposit lies
    open_any,         // open whatever door
};
[[nodiscard]] std::string_view name(permit p);
[[nodiscard]] std::optional<permit> permit_from(std::string_view text);

struct staff_member {
    std::string number;  // 4–6 digits
    std::string sub;     // the pseudonym in grants' `sub`, or empty
    std::vector<permit> permits;
    bool suspended = false;  // by ops, until a later roster says otherwise
    bool operator==(const staff_member&) const = default;
    [[nodiscard]] bool may(permit p) const;
};

struct roster {
    std::int64_t version = 0;  // 0: none was ever received
    std::vector<staff_member> members;
    bool operator==(const roster&) const = default;
    // By number, or by what stands in a grant's `sub`: the member's pseudonym, its number, or "staff:" and its number.
    [[nodiscard]] const staff_member* find(std::string_view number) const;
    [[nodiscard]] const staff_member* find_sub(std::string_view sub) const;
};

// [{"number":"4711","sub":"g-17","permits":["collect_intake"],"suspended":false}], at most limits::staff_max. Error:
// malformed, naming entry and member.
[[nodiscard]] reading<std::vector<staff_member>> parse_members(const boost::json::value& list);
[[nodiscard]] boost::json::array members_json(const std::vector<staff_member>& members);

[[nodiscard]] bool is_staff_number(std::string_view text);

// "4711 # 123 456": a staff number and a six-digit TOTP. Nothing: it is no staff code.
struct staff_code {
    std::string number;
    std::uint32_t totp = 0;
};
[[nodiscard]] std::optional<staff_code> parse_staff_code(std::string_view text);

// A line of somebody who has signed in. A door number alone opens that door. A keypad has digits only: "12#1" opens
// door 12, "12#2" settles it, "12#3" reclaims what is overdue there; "0" is `next`, "0#0" is `out`.
enum class deed_verb : std::uint8_t { list, open, next, reclaim, settle, put_back, confirm, move, out };
struct staff_deed {
    deed_verb verb = deed_verb::list;
    int compartment = 0;
    std::string deposit;
    std::string case_id;
    std::string size;    // S, M, L or empty
    std::string reason;  // of `open`, or empty
};
// Nothing: the line begins with no verb and is no door number. Error: malformed, with the verb's own form.
[[nodiscard]] std::optional<reading<staff_deed>> parse_deed(std::string_view line);
// "DOOR, list, open DOOR, …": all of them.
[[nodiscard]] std::string deed_forms();

}  // namespace locker
