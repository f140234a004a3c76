#include "protocol/code.hpp"

#include <array>

namespace locker {

namespace {

secret256 derived(const key256& cabinet_key, std::string_view label, std::string_view of) {
    std::string message(label);
    message.push_back('\0');
    message.append(of);
    auto mac = hmac_sha256(cabinet_key, bytes_of(message));
    const secret256 out(mac);
    wipe(mac);
    return out;
}

// RFC 4226 §5.3, before the reduction to digits.
std::uint32_t hotp(byte_view key, std::uint64_t counter) {
    std::array<std::uint8_t, 8> moving{};
    for (std::size_t i = 0; i < moving.size(); ++i) {
        moving[i] = static_cast<std::uint8_t>(counter >> (56U - 8U * i));
    }
    const auto mac = hmac_sha1(key, moving);
    const std::size_t offset = mac[19] & 0x0FU;  // dynamic truncation, RFC 4226 §5.3
    const std::uint32_t bits = (static_cast<std::uint32_t>(mac[offset] & 0x7FU) << 24U) |
                               (static_cast<std::uint32_t>(mac[offset + 1]) << 16U) |
                               (static_cast<std::uint32_t>(mac[offset + 2]) << 8U) | mac[offset + 3];
    return bits;
}

}  // namespace

secret256 deposit_key(const key256& cabinet_key, std::string_view deposit_id) {
    return derived(cabinet_key, "locker/pickup/v1", deposit_id);
}

secret256 staff_key(const key256& cabinet_key, std::string_view staff_number) {
    return derived(cabinet_key, "locker/staff/v1", staff_number);
}

secret256 wiring_signature(const key256& cabinet_key, std::string_view record) {
    return derived(cabinet_key, "locker/wiring/v1", record);
}

std::uint32_t hotp8(byte_view key, std::uint64_t counter) {
    return hotp(key, counter) % 100'000'000U;
}

std::uint32_t totp6(byte_view key, std::int64_t step) {
    return hotp(key, static_cast<std::uint64_t>(step)) % 1'000'000U;
}

std::string key_id(const key256& cabinet_key) {
    const auto id = hmac_sha256(cabinet_key, bytes_of("locker/key-id/v1"));
    return to_hex(byte_view(id).first(4));
}

unsigned luhn_digit(std::uint32_t eight_digits) {
    unsigned sum = 0;
    for (int i = 0; i < 8; ++i) {
        unsigned digit = eight_digits % 10;
        eight_digits /= 10;
        if (i % 2 == 0) {  // doubled from the right, RFC 4226 appendix E.1
            digit *= 2;
            if (digit > 9) {
                digit -= 9;
            }
        }
        sum += digit;
    }
    return (10 - sum % 10) % 10;
}

std::string pickup_code(const key256& key, std::uint64_t issue) {
    const std::uint32_t eight = hotp8(key, issue);
    std::string digits = std::to_string(eight);
    digits.insert(0, 8 - digits.size(), '0');
    digits.push_back(static_cast<char>('0' + luhn_digit(eight)));
    return digits;
}

std::string shown_code(std::string_view nine_digits) {
    std::string out;
    for (std::size_t i = 0; i < nine_digits.size(); ++i) {
        if (i != 0 && i % 3 == 0) {
            out.push_back(' ');
        }
        out.push_back(nine_digits[i]);
    }
    return out;
}

boost::system::result<std::uint32_t, error_code> parse_code(std::string_view text) {
    std::uint32_t eight = 0;
    unsigned check = 0;
    int digits = 0;
    bool after_digit = false;
    for (const char c : text) {
        if (c == ' ' && after_digit) {
            after_digit = false;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > 9) {
            return error_code::malformed;
        }
        after_digit = true;
        if (digits <= 8) {
            eight = eight * 10 + static_cast<std::uint32_t>(c - '0');
        } else {
            check = static_cast<unsigned>(c - '0');
        }
    }
    if (digits != 9 || !after_digit) {
        return error_code::malformed;
    }
    if (luhn_digit(eight) != check) {
        return error_code::typo;
    }
    return eight;
}

}  // namespace locker
