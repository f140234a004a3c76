// A relay board as a Modbus device (Waveshare's register list), written from the standard and the data sheet: it shares
// no code with the master it talks to.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "hal/sim/config.hpp"

namespace sim {

using bytes = std::vector<std::uint8_t>;

// MODBUS over serial line V1.02, appendix B: CRC-16, low byte first on the wire.
[[nodiscard]] std::uint16_t crc16(const bytes& data);

class board {
public:
    explicit board(board_config c)
        : config_(c), on_until_(static_cast<std::size_t>(c.relays), 0), welded_(on_until_.size(), false) {}

    // The answer to a PDU (function code first), or none where a board keeps silent.
    [[nodiscard]] std::optional<bytes> answer(const bytes& pdu, std::int64_t now,
                                              const std::function<bool(int)>& input);
    // The coil's truth: also with a relay whose register says off but whose contact is welded.
    [[nodiscard]] bool coil(int relay, std::int64_t now) const;
    void power_cycle();
    void weld(int relay, bool welded);

    [[nodiscard]] const board_config& config() const { return config_; }
    [[nodiscard]] std::uint64_t requests() const { return requests_; }
    [[nodiscard]] std::uint64_t pulses() const { return pulses_; }

    // faults, switched on while it runs
    bool silent = false;
    bool wrong_crc = false;
    bool wrong_echo = false;
    bool deaf_after_action = false;  // acts, but its answer is lost
    int late_ms = 0;
    int garbage = 0;  // bytes of noise before each answer

private:
    static constexpr std::int64_t forever = INT64_MAX;
    [[nodiscard]] bool relay_on(int relay, std::int64_t now) const {
        return now < on_until_[static_cast<std::size_t>(relay)];
    }
    void set(int relay, std::int64_t until, std::int64_t now);
    bytes write_coil(const bytes& pdu, std::int64_t now);
    bytes write_coils(const bytes& pdu, std::int64_t now);
    bytes write_registers(const bytes& pdu, std::int64_t now);  // LC-Modbus
    bytes write_command(const bytes& pdu, std::int64_t now);    // R421A08
    bytes read_register(const bytes& pdu, std::int64_t now) const;
    [[nodiscard]] bytes echo_of(const bytes& pdu) const;

    board_config config_;
    std::vector<std::int64_t> on_until_;
    std::vector<bool> welded_;
    std::vector<bool> stuck_ = std::vector<bool>(64, false);
    std::uint64_t requests_ = 0;
    std::uint64_t pulses_ = 0;
};

}  // namespace sim
