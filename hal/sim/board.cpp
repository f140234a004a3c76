#include "hal/sim/board.hpp"

namespace sim {
namespace {

std::uint16_t word(const bytes& pdu, std::size_t at) {
    return static_cast<std::uint16_t>((pdu[at] << 8U) | pdu[at + 1]);
}

bytes exception(std::uint8_t function, std::uint8_t code) {
    return {static_cast<std::uint8_t>(function | 0x80U), code};
}

constexpr std::uint8_t illegal_function = 1;
constexpr std::uint8_t illegal_address = 2;
constexpr std::uint8_t illegal_value = 3;

}  // namespace

std::uint16_t crc16(const bytes& data) {
    std::uint16_t crc = 0xFFFF;
    for (const std::uint8_t byte : data) {
        crc = static_cast<std::uint16_t>(crc ^ byte);
        for (int i = 0; i < 8; ++i) {
            crc = static_cast<std::uint16_t>((crc & 1U) != 0 ? (crc >> 1U) ^ 0xA001U : crc >> 1U);
        }
    }
    return crc;
}

bool board::coil(int relay, std::int64_t now) const {
    return relay_on(relay, now) || stuck_[static_cast<std::size_t>(relay)];
}

void board::weld(int relay, bool welded) {
    const auto i = static_cast<std::size_t>(relay);
    welded_[i] = welded;
    if (!welded) {
        stuck_[i] = false;
    }
}

void board::power_cycle() {
    on_until_.assign(on_until_.size(), 0);
}

bytes board::write_coil(const bytes& pdu, std::int64_t now) {
    const std::uint16_t address = word(pdu, 1);
    const std::uint16_t value = word(pdu, 3);
    const auto relays = static_cast<std::uint16_t>(config_.relays);
    const auto apply = [&](int relay, std::int64_t until) {
        set(relay, until);
        if (until > now) {
            ++pulses_;
            if (welded_[static_cast<std::size_t>(relay)]) {
                stuck_[static_cast<std::size_t>(relay)] = true;
            }
        }
    };
    if (config_.timed_pulse && address >= 0x0200 && address < 0x0200 + relays) {
        if (value == 0 || value > 0x7FFF) {
            return exception(5, illegal_value);
        }
        apply(address - 0x0200, now + value * 100);
    } else if (address == 0x00FF || address < relays) {
        if (value != 0xFF00 && value != 0x0000 && value != 0x5500) {
            return exception(5, illegal_value);
        }
        for (int relay = address == 0x00FF ? 0 : address; relay < (address == 0x00FF ? config_.relays : address + 1);
             ++relay) {
            const bool on = value == 0xFF00 || (value == 0x5500 && !relay_on(relay, now));
            apply(relay, on ? forever : 0);
        }
    } else {
        return exception(5, illegal_address);
    }
    bytes echo = pdu;
    if (wrong_echo) {
        echo[4] = static_cast<std::uint8_t>(echo[4] ^ 1U);
    }
    return echo;
}

std::optional<bytes> board::answer(const bytes& pdu, std::int64_t now, const std::function<bool(int)>& input) {
    ++requests_;
    if (silent || pdu.empty()) {
        return std::nullopt;
    }
    const std::uint8_t function = pdu[0];
    bytes out;
    if ((function == 1 || function == 2) && pdu.size() == 5) {
        const int first = word(pdu, 1);
        const int count = word(pdu, 3);
        const int have = function == 1 ? config_.relays : config_.inputs;
        if (count < 1 || first + count > have) {
            return exception(function, illegal_address);
        }
        out = {function, static_cast<std::uint8_t>((count + 7) / 8)};
        out.resize(2 + static_cast<std::size_t>((count + 7) / 8));
        for (int i = 0; i < count; ++i) {
            const bool bit = function == 1 ? relay_on(first + i, now) : input(first + i);
            if (bit) {
                auto& cell = out[2 + static_cast<std::size_t>(i / 8)];
                cell = static_cast<std::uint8_t>(cell | (1U << static_cast<unsigned>(i % 8)));
            }
        }
    } else if (function == 3 && pdu.size() == 5) {
        const std::uint16_t address = word(pdu, 1);
        if (word(pdu, 3) != 1 || (address != 0x4000 && address != 0x8000 && (address & 0xFFF0U) != 0x1000)) {
            return exception(function, illegal_address);
        }
        const int value = address == 0x4000 ? config_.address : address == 0x8000 ? 210 : 0;
        out = {3, 2, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xFF)};
    } else if (function == 5 && pdu.size() == 5) {
        out = write_coil(pdu, now);
    } else {
        out = exception(function, illegal_function);
    }
    if (deaf_after_action) {
        return std::nullopt;
    }
    return out;
}

}  // namespace sim
