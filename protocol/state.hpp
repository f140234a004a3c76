// Retained state and replies: what they hold, and their JSON.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/error.hpp"
#include "protocol/words.hpp"

namespace locker {

struct status_message {
    std::string epoch;
    std::string version;
    bool clock_trusted = false;
    std::int64_t since_ms = 0;
    bool operator==(const status_message&) const = default;
};
[[nodiscard]] std::string encode(const status_message& m);
inline constexpr std::string_view offline_status = R"({"online":false})";

struct compartment_summary {
    int number = 0;
    box_size size = box_size::small;
    bool accessible = false;
    bool operator==(const compartment_summary&) const = default;
};
struct cabinet_message {
    std::string name;
    std::string place;
    std::string help;
    std::vector<compartment_summary> compartments;
    std::map<box_size, int> vacancies;
    std::vector<std::string> alarms;  // that are on, as their topics end: "jammed/3", "storage"
    bool operator==(const cabinet_message&) const = default;
};
[[nodiscard]] std::string encode(const cabinet_message& m);

struct compartment_message {
    use_state use = use_state::vacant;
    door_state door = door_state::unknown;
    lock_state lock = lock_state::ok;
    std::string deposit;  // empty: none
    std::int64_t since_ms = 0;
    bool operator==(const compartment_message&) const = default;
};
[[nodiscard]] std::string encode(const compartment_message& m);

struct alarm_message {
    std::int64_t since_ms = 0;
    std::string meaning;
    std::string action;
};
[[nodiscard]] std::string encode(const alarm_message& m);

// {"id","ok":true,"result":{…}}; `result` is JSON. An empty id is left out (answers at the cabinet itself).
[[nodiscard]] std::string ok_reply(std::string_view id, std::string_view result);
[[nodiscard]] std::string error_reply(std::string_view id, const refusal& why, std::string_view help);

}  // namespace locker
