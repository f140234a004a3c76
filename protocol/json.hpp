// Bounded reading of JSON from outside, over Boost.JSON: depth, size and types are checked, errors name the member.
#pragma once

#include <boost/json.hpp>
#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/error.hpp"

namespace locker {

template <typename T>
using reading = boost::system::result<T, refusal>;

[[nodiscard]] inline refusal malformed(std::string detail) {
    return {error_code::malformed, std::move(detail)};
}

// One JSON object, at most `max_bytes` long and limits::json_depth deep.
[[nodiscard]] reading<boost::json::object> parse_object(std::string_view text, std::size_t max_bytes);

// Members by name. Absent and null are the same. Each error names the member and what would be right.
[[nodiscard]] reading<std::optional<std::string>> optional_text(const boost::json::object& o, std::string_view member,
                                                                std::size_t max_bytes);
[[nodiscard]] reading<std::string> required_text(const boost::json::object& o, std::string_view member,
                                                 std::size_t max_bytes);
[[nodiscard]] reading<std::optional<std::int64_t>> optional_integer(const boost::json::object& o,
                                                                    std::string_view member, std::int64_t low,
                                                                    std::int64_t high);
[[nodiscard]] reading<std::optional<bool>> optional_flag(const boost::json::object& o, std::string_view member);

// 1–64 of [A-Za-z0-9_-]: ids of commands, deposits, cabinets, keys.
[[nodiscard]] bool is_name(std::string_view text);

// The same value always as the same bytes: members sorted by name. For digests.
[[nodiscard]] std::string canonical(const boost::json::value& value);

}  // namespace locker
