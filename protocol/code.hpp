// One-time pickup codes: RFC 4226 HOTP with eight digits, then the Luhn check digit of RFC 4226 appendix E.
// Derivations and vectors: protocol/CODES.md.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/crypto.hpp"
#include "protocol/error.hpp"

namespace locker {

// HMAC-SHA-256(cabinet_key, "locker/pickup/v1" || 0x00 || deposit_id): nothing on one cabinet opens another.
[[nodiscard]] secret256 deposit_key(const key256& cabinet_key, std::string_view deposit_id);

// RFC 4226 §5.3 with Digit = 8: 0 … 99,999,999.
[[nodiscard]] std::uint32_t hotp8(byte_view key, std::uint64_t counter);

// HMAC-SHA-256(cabinet_key, "locker/staff/v1" || 0x00 || staff_number).
[[nodiscard]] secret256 staff_key(const key256& cabinet_key, std::string_view staff_number);

// Signs the record of a wiring: HMAC-SHA-256 under "locker/wiring/v1".
[[nodiscard]] secret256 wiring_signature(const key256& cabinet_key, std::string_view record);

// RFC 6238 with HMAC-SHA-1, T0 = 0, X = 30 s: six digits for a step.
inline constexpr std::int64_t totp_period_s = 30;
[[nodiscard]] std::uint32_t totp6(byte_view key, std::int64_t step);

// Tells generations of a cabinet key apart without telling the key: the first 4 bytes of HMAC-SHA-256(cabinet_key,
// "locker/key-id/v1") in hex.
[[nodiscard]] std::string key_id(const key256& cabinet_key);

// The check digit for eight digits (84755224 → 7).
[[nodiscard]] unsigned luhn_digit(std::uint32_t eight_digits);

// Nine digits without spaces, as they are compared and entered.
[[nodiscard]] std::string pickup_code(const key256& deposit_key, std::uint64_t issue);

// "123456789" → "123 456 789", as people read it.
[[nodiscard]] std::string shown_code(std::string_view nine_digits);

// Nine digits, single spaces between digits allowed → the first eight. Errors: malformed, typo (wrong check digit).
[[nodiscard]] boost::system::result<std::uint32_t, error_code> parse_code(std::string_view text);

}  // namespace locker
