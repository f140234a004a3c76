// RFC 3339 times of the contract: UTC, milliseconds. Held as 64-bit milliseconds since 1970 (armhf has a 32-bit
// time_t).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locker {

// "2026-11-24T09:54:00.123Z". Years 1970 … 9999.
[[nodiscard]] std::string format_time(std::int64_t ms_since_1970);

// Takes "Z" and numeric offsets, any number of fraction digits (cut to milliseconds); empty on anything else.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text);

}  // namespace locker
