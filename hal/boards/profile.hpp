// Board profiles: what a kind of relay board is, as data (hal/boards/*.toml). A profile names the document it comes
// from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace locker {

// How a relay is pulsed. Frames are in hal/line/modbus_line.cpp; `base` is channel 1's coil or register.
enum class pulse_kind : std::uint8_t {
    flash_coil,        // FC05 at base + channel − 1, value = units: the board's own timer ends it
    flash_registers,   // FC10 at base + (channel − 1) · stride, two words: 2 (flash on), the units (LC-Modbus)
    command_register,  // FC06 at base + channel − 1: high byte 6 (on for a time) or 2 (off), low byte the units; FC03
                       // reads the relay there (R421A08)
    on_off,            // FC05 at base + channel − 1 on, later off: nothing but lockerd ends it
};

struct board_profile {
    std::string name;
    std::string title;
    std::string source;
    int relays = 0;  // channels 1 … relays, FC01 and FC05 address channel − 1
    int inputs = 0;  // channels 1 … inputs, FC02 address channel − 1; 0: the board has none
    int baud = 9600;
    int timeout_ms = 150;    // until an answer's end, the longest: what is learnt from answers stays below it
    int gap_characters = 0;  // silence before a request, when longer than the standard's 3.5
    pulse_kind pulse = pulse_kind::flash_coil;
    int pulse_base = 0;
    int pulse_stride = 1;   // flash_registers
    int all_off_coil = -1;  // FC05 off at this coil drops all relays; −1: each is switched off by itself
    int pulse_unit_ms = 100;
    int pulse_max_units = 0;
    // What tells it from others of as many relays and inputs: FC03 of these registers is answered. −1: nothing does.
    int identify_register = -1;
    int identify_count = 1;

    // Where FC01 and FC05 find channel 1's relay.
    [[nodiscard]] int first_coil() const { return pulse == pulse_kind::on_off ? pulse_base : 0; }
    // How many writes switch all relays off.
    [[nodiscard]] int drop_writes() const { return all_off_coil >= 0 ? 1 : relays; }
    [[nodiscard]] std::int64_t longest_pulse_ms() const { return std::int64_t{pulse_unit_ms} * pulse_max_units; }
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
