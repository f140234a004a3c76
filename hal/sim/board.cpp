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

void board::set(int relay, std::int64_t until, std::int64_t now) {
    on_until_[static_cast<std::size_t>(relay)] = until;
    if (until > now) {
        ++pulses_;
        if (welded_[static_cast<std::size_t>(relay)]) {
            stuck_[static_cast<std::size_t>(relay)] = true;
        }
    }
}

// Writes are answered by their function, address and value or count.
bytes board::echo_of(const bytes& pdu) const {
    bytes echo(pdu.begin(), pdu.begin() + 5);
    if (wrong_echo) {
        echo[4] = static_cast<std::uint8_t>(echo[4] ^ 1U);
    }
    return echo;
}

bytes board::write_coil(const bytes& pdu, std::int64_t now) {
    const std::uint16_t address = word(pdu, 1);
    const std::uint16_t value = word(pdu, 3);
    const auto relays = static_cast<std::uint16_t>(config_.relays);
    const bool waveshare = config_.kind == board_kind::waveshare;
    if (waveshare && address >= 0x0200 && address < 0x0200 + relays) {
        if (value == 0 || value > 0x7FFF) {
            return exception(5, illegal_value);
        }
        set(address - 0x0200, now + value * 100, now);
    } else if ((waveshare && address == 0x00FF) || address < relays) {
        if (value != 0xFF00 && value != 0x0000 && (!waveshare || value != 0x5500)) {
            return exception(5, illegal_value);
        }
        for (int relay = address == 0x00FF ? 0 : address; relay < (address == 0x00FF ? config_.relays : address + 1);
             ++relay) {
            const bool on = value == 0xFF00 || (value == 0x5500 && !relay_on(relay, now));
            set(relay, on ? forever : 0, now);
        }
    } else {
        return exception(5, illegal_address);
    }
    return echo_of(pdu);
}

bytes board::write_coils(const bytes& pdu, std::int64_t now) {
    const int first = word(pdu, 1);
    const int count = word(pdu, 3);
    if (count < 1 || first + count > config_.relays) {
        return exception(0x0F, illegal_address);
    }
    if (pdu.size() != 6 + static_cast<std::size_t>((count + 7) / 8)) {
        return exception(0x0F, illegal_value);
    }
    for (int i = 0; i < count; ++i) {
        const bool on = (pdu[6 + static_cast<std::size_t>(i / 8)] >> static_cast<unsigned>(i % 8) & 1U) != 0;
        set(first + i, on ? forever : 0, now);
    }
    return echo_of(pdu);
}

bytes board::write_registers(const bytes& pdu, std::int64_t now) {
    const int at = word(pdu, 1) - 3;
    if (word(pdu, 3) != 2 || at < 0 || at % 5 != 0 || at / 5 >= config_.relays) {
        return exception(0x10, illegal_address);
    }
    if (pdu.size() != 10 || word(pdu, 6) != 2 || word(pdu, 8) == 0) {
        return exception(0x10, illegal_value);
    }
    set(at / 5, now + word(pdu, 8) * 100, now);
    return echo_of(pdu);
}

bytes board::write_command(const bytes& pdu, std::int64_t now) {
    const int relay = word(pdu, 1) - 1;
    if (relay < 0 || relay >= config_.relays) {
        return exception(6, illegal_address);
    }
    switch (pdu[3]) {
        case 1:
            set(relay, forever, now);
            break;
        case 2:
            set(relay, 0, now);
            break;
        case 3:
            set(relay, relay_on(relay, now) ? 0 : forever, now);
            break;
        case 5:
            set(relay, now + 1000, now);
            break;
        case 6:
            set(relay, now + pdu[4] * 1000, now);
            break;
        default:
            return exception(6, illegal_value);
    }
    return echo_of(pdu);
}

bytes board::read_register(const bytes& pdu, std::int64_t now) const {
    const int address = word(pdu, 1);
    const int count = word(pdu, 3);
    if (config_.kind == board_kind::r421a08) {
        if (address < 1 || count < 1 || address - 1 + count > config_.relays) {
            return exception(3, illegal_address);
        }
        bytes out{3, static_cast<std::uint8_t>(2 * count)};
        for (int i = 0; i < count; ++i) {
            out.push_back(0);
            out.push_back(relay_on(address - 1 + i, now) ? 1 : 0);
        }
        return out;
    }
    if (config_.kind == board_kind::on_off && (address < 100 || address + count > 102)) {
        return exception(3, illegal_address);
    }
    if (config_.kind == board_kind::on_off) {  // Wellpro: address and speed
        bytes out{3, static_cast<std::uint8_t>(2 * count)};
        for (int i = 0; i < count; ++i) {
            out.push_back(0);
            out.push_back(static_cast<std::uint8_t>(address + i == 100 ? config_.address : 3));
        }
        return out;
    }
    if (count != 1 || (address != 0x4000 && address != 0x8000 && (address & 0xFFF0) != 0x1000)) {
        return exception(3, illegal_address);
    }
    const int value = address == 0x4000 ? config_.address : address == 0x8000 ? 210 : 0;
    return {3, 2, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xFF)};
}

std::optional<bytes> board::answer(const bytes& pdu, std::int64_t now, const std::function<bool(int)>& input) {
    ++requests_;
    if (silent || pdu.empty()) {
        return std::nullopt;
    }
    const std::uint8_t function = pdu[0];
    bytes out;
    if ((function == 1 || function == 2) && pdu.size() == 5 && config_.kind != board_kind::r421a08) {
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
    } else if (function == 3 && pdu.size() == 5 && config_.kind != board_kind::lc_modbus) {
        out = read_register(pdu, now);
    } else if (function == 5 && pdu.size() == 5 && config_.kind != board_kind::r421a08) {
        out = write_coil(pdu, now);
    } else if (function == 0x0F && pdu.size() > 6 && config_.kind != board_kind::r421a08) {
        out = write_coils(pdu, now);
    } else if (function == 0x10 && pdu.size() > 6 && config_.kind == board_kind::lc_modbus) {
        out = write_registers(pdu, now);
    } else if (function == 6 && pdu.size() == 5 && config_.kind == board_kind::r421a08) {
        out = write_command(pdu, now);
    } else {
        out = exception(function, illegal_function);
    }
    if (deaf_after_action) {
        return std::nullopt;
    }
    return out;
}

}  // namespace sim
