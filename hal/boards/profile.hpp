// Board profiles: what a kind of relay board is, as data (hal/boards/*.toml). A profile names the document it comes
// from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace locker {

struct board_profile {
    std::string name;
    std::string title;
    std::string source;
    int relays = 0;  // channels 1 … relays, FC01 and FC05 address channel − 1
    int inputs = 0;  // channels 1 … inputs, FC02 address channel − 1; 0: the board has none
    int baud = 9600;
    int timeout_ms = 150;    // until an answer's end, the longest: what is learnt from answers stays below it
    int gap_characters = 0;  // silence before a request, when longer than the standard's 3.5
    // The board-timed pulse: FC05 to pulse_base + channel − 1, value = duration in pulse_unit_ms.
    int pulse_base = 0;
    int pulse_unit_ms = 100;
    int pulse_max_units = 0;
};

struct profile_text {
    std::string_view file;
    std::string_view text;
};
// The files of hal/boards as they were built in.
[[nodiscard]] const std::vector<profile_text>& builtin_profile_texts();

// A profile, or sentences that say what is wrong with it, one a mistake.
[[nodiscard]] std::variant<board_profile, std::vector<std::string>> parse_profile(std::string_view text);

}  // namespace locker
