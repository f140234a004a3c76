// Lamps and buzzers of the cabinet's front: what a person is told where there is no screen.
#pragma once

#include <cstdint>

namespace locker {

enum class front_signal : std::uint8_t {
    yes,   // it opens, it is done
    no,    // it was refused, or could not be understood
    wait,  // it was understood, and takes a moment; or somebody else goes first
};

// One relay of a board that drives no lock, on for `length_ms`. Worth nothing later: dropped when its board is away.
struct output_order {
    int board = 0;    // index into the configuration's boards
    int channel = 0;  // from 0
    std::int64_t length_ms = 0;
};

}  // namespace locker
