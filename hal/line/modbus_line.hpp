// One Modbus line over libmodbus: opened and reopened, silence kept, answers checked against their questions. Blocking;
// owned by one thread. What libmodbus 3.1.6 leaves to its caller is done here, each with a test in tests/component:
// a late answer, a wrong echo, a device that is gone, garbage, the silence between frames.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hal/boards/profile.hpp"
#include "hal/line/line.hpp"

struct _modbus;  // NOLINT(bugprone-reserved-identifier): libmodbus named it so

namespace locker {

class modbus_line {
public:
    explicit modbus_line(line_settings settings);
    ~modbus_line();
    modbus_line(const modbus_line&) = delete;
    modbus_line& operator=(const modbus_line&) = delete;

    // True when the line is open. Does not wait: a refusal comes back at once, a TCP connect ends within a second.
    [[nodiscard]] bool open();
    void close();
    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] const std::string& last_error() const { return error_; }

    // Of the last exchange that was answered: from the question's first bit to the answer's last.
    [[nodiscard]] std::int64_t took_us() const { return took_us_; }

    struct peer {
        int address = 1;
        const board_profile* profile = nullptr;
        std::int64_t timeout_us = 0;  // until the answer's end; 0: the profile's
        // After a fault the next question is of another form, so that a late answer cannot pass for its own.
        bool resync = false;
    };

    // Waits until the line was silent for so long; every question keeps its board's silence by itself. Whoever waits
    // here first, and then decides what to ask, asks the latest that is wanted.
    void keep_silence(int gap_characters) const;

    // Bit 0 = channel 1. For a board without inputs: its relays, as a sign of life.
    [[nodiscard]] line_result read(peer& board, std::uint32_t& bits);
    // Relays as the board says they are.
    [[nodiscard]] line_result read_relays(peer& board, std::uint32_t& bits);
    // For commissioning: reads what may or may not be there (FC01 to FC04, `count` bits or registers), and gives the
    // answer's bytes after the function and the length. refused: by an exception; `garbled`, when silent, says whether
    // something was heard that was no frame.
    [[nodiscard]] line_result probe(peer& board, int function, int address, int count,
                                    std::vector<std::uint8_t>& answer);
    [[nodiscard]] bool garbled() const { return garbled_; }

    // Begins a pulse. The board's own timer ends it; without one (pulse_kind::on_off) `release` does.
    // ok: the echo is exact. silent: sent, not known whether it arrived.
    [[nodiscard]] line_result pulse(peer& board, int channel, std::int64_t length_ms);
    [[nodiscard]] line_result release(peer& board, int channel);
    // All relays off. There is no way to say "all on" here.
    [[nodiscard]] line_result drop_all(peer& board);

private:
    [[nodiscard]] bool prepare(const peer& board);
    [[nodiscard]] line_result failed(peer& board, bool sent, bool timed_pulse);
    void answered();
    [[nodiscard]] line_result write(peer& board, const std::vector<std::uint8_t>& pdu, bool timed_pulse);
    [[nodiscard]] line_result read_registers(peer& board, std::uint32_t& bits);
    [[nodiscard]] line_result read_bits(peer& board, int function, int count, std::uint32_t& bits);
    void drain(std::int64_t ms);

    struct context_free {
        void operator()(_modbus* context) const;
    };
    line_settings settings_;
    std::unique_ptr<_modbus, context_free> context_;
    bool open_ = false;
    bool garbled_ = false;
    std::string error_;
    std::int64_t quiet_since_us_ = 0;
    std::int64_t asked_us_ = 0;
    std::int64_t took_us_ = 0;
};

}  // namespace locker
