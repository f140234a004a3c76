// What a simulated cabinet is made of, from a TOML file or from three numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sim {

// What the simulated board understands besides FC01 and FC02, from its maker's documents.
enum class board_kind : std::uint8_t {
    waveshare,  // FC05 with flash commands at 0x0200, all relays at 0x00FF
    on_off,     // FC05 and FC0F, no timer
    lc_modbus,  // the same, and FC10 at 3 + 5n: mode, tenths of a second
    r421a08,    // FC06 at 1 + n: command and seconds in one register; FC03
};

struct board_config {
    int address = 1;
    int relays = 8;
    int inputs = 8;
    int turnaround_us = 3000;
    board_kind kind = board_kind::waveshare;
};

struct door_config {
    int number = 1;
    int board = 0;  // index
    int relay = 0;  // from 0
    int input_board = 0;
    int input = 0;             // from 0; -1: no contact wired
    bool closed_level = true;  // the input while the door is shut
    int pull_ms = 60;          // the coil must be on so long before the latch lets go
    int swing_ms = 80;         // from then until the contact sees the door move
    int bounce_ms = 20;        // the contact chatters so long after each movement
};

struct config {
    std::string device;  // symlink to the pty; empty: TCP
    int port = 0;        // TCP; 0: any free one
    int baud = 9600;
    std::uint64_t seed = 1;
    std::string socket;
    std::int64_t push_after_ms = 0;  // people push open doors shut after so long; 0: nobody does
    std::vector<board_config> boards;
    std::vector<door_config> doors;
};

// `doors` doors over boards of eight relays and eight inputs, wired in order.
void wire_in_order(config& c, int doors);

// Throws std::runtime_error with file, line and what is wrong.
[[nodiscard]] config read_config(const std::string& file);

}  // namespace sim
