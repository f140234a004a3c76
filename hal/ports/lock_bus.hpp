// The seam between the core and the Modbus line. Orders go down, reports come up; the line decides nothing about
// deposits, the core nothing about frames.
#pragma once

#include <cstdint>
#include <string>

#include "hal/ports/outputs.hpp"

namespace locker {

// One pulse of one lock. The line sends it before `not_after_ms` or not at all.
struct pulse_order {
    std::int64_t opening = 0;
    int attempt = 0;
    int compartment = 0;
    std::int64_t not_after_ms = 0;  // monotonic
    std::int64_t watch_ms = 0;      // how long the contact's board is read back to back afterwards
};

enum class pulse_result : std::uint8_t {
    done,       // the board acknowledged it: the coil was on for its time
    not_sent,   // not one bit of it left: nothing moved
    unsure,     // sent, not acknowledged: the coil may have been on
    held_back,  // the lock's limits forbid it for longer than the order waits: nothing moved
};

struct pulse_report {
    std::int64_t opening = 0;
    int attempt = 0;
    pulse_result result = pulse_result::not_sent;
    std::int64_t at_ms = 0;  // monotonic, when the board's answer was complete
};

// All inputs of one board, bit 0 = channel 1. Sent at the first read after the board appeared, then at each change.
struct inputs_report {
    int board = 0;  // index into the configuration's boards
    std::uint32_t bits = 0;
    std::int64_t at_ms = 0;  // monotonic, when the answer was complete
};

struct board_report {
    int board = 0;
    bool present = false;
};

struct bus_counters {
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;
    std::uint64_t pulses = 0;
};

class lock_bus {
public:
    virtual ~lock_bus() = default;
    // Takes the order and returns at once; exactly one pulse_report follows.
    virtual void pulse(const pulse_order& order) = 0;
    [[nodiscard]] virtual bool serves(int compartment) const = 0;
    // The same for an output: nothing is reported.
    virtual void output(const output_order& order) = 0;
    [[nodiscard]] virtual bool has_board(int board) const = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;
    [[nodiscard]] virtual bus_counters counters() const = 0;
};

}  // namespace locker
