// What a request may come to instead of its result, and what the portal is handed from outside.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace locker::portal {

// A refusal: for programs by its code, for people by its sentence, Chinese first.
struct problem {
    // No aggregate: a result must not take a number for a refusal.
    problem(int http_status, std::string for_programs, std::string for_people)
        : status(http_status), code(std::move(for_programs)), message(std::move(for_people)) {}
    problem() = default;  // boost::system::result asks for it
    int status = 500;     // HTTP
    std::string code;
    std::string message;
};

template <typename T>
using result = boost::system::result<T, problem>;

// boost::system::result asks for it; whoever takes a value has looked first.
[[noreturn]] void throw_exception_from_error(const problem& p, const boost::source_location& where);

struct sources {
    std::function<std::int64_t()> now_ms;  // since 1970
    std::function<std::vector<unsigned char>(std::size_t)> random;
};

inline constexpr std::int64_t second = 1000;
inline constexpr std::int64_t minute = 60 * second;
inline constexpr std::int64_t hour = 60 * minute;
inline constexpr std::int64_t day = 24 * hour;

}  // namespace locker::portal
