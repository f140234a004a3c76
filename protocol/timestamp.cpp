#include "protocol/timestamp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace locker {
namespace {

// Reads `width` digits at `at` and steps over them.
std::optional<int> number(std::string_view text, std::size_t& at, std::size_t width) {
    if (at + width > text.size()) {
        return std::nullopt;
    }
    int value = 0;
    for (std::size_t i = 0; i < width; ++i) {
        const char c = text[at + i];
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
    }
    at += width;
    return value;
}

bool literal(std::string_view text, std::size_t& at, char wanted) {
    if (at >= text.size() || text[at] != wanted) {
        return false;
    }
    ++at;
    return true;
}

}  // namespace

std::string format_time(std::int64_t ms_since_1970) {
    using namespace std::chrono;
    const std::int64_t ms = std::clamp<std::int64_t>(ms_since_1970, 0, 253402300799999);  // 9999-12-31T23:59:59.999Z
    const sys_time<milliseconds> time{milliseconds{ms}};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    using namespace std::chrono;
    std::size_t at = 0;
    const auto y = number(text, at, 4);
    const bool d1 = literal(text, at, '-');
    const auto mo = number(text, at, 2);
    const bool d2 = literal(text, at, '-');
    const auto d = number(text, at, 2);
    if (at >= text.size() || (text[at] != 'T' && text[at] != 't')) {
        return std::nullopt;
    }
    ++at;
    const auto h = number(text, at, 2);
    const bool c1 = literal(text, at, ':');
    const auto mi = number(text, at, 2);
    const bool c2 = literal(text, at, ':');
    const auto s = number(text, at, 2);
    if (!y || !mo || !d || !h || !mi || !s || !d1 || !d2 || !c1 || !c2 || *h > 23 || *mi > 59 || *s > 60) {
        return std::nullopt;
    }
    int ms = 0;
    if (literal(text, at, '.')) {
        int scale = 100;
        std::size_t digits = 0;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
            ms += (text[at] - '0') * scale;
            scale /= 10;
            ++at;
            ++digits;
        }
        if (digits == 0) {
            return std::nullopt;
        }
    }
    std::int64_t offset_minutes = 0;
    if (at < text.size() && (text[at] == 'Z' || text[at] == 'z')) {
        ++at;
    } else if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
        const bool minus = text[at] == '-';
        ++at;
        const auto oh = number(text, at, 2);
        const bool colon = literal(text, at, ':');
        const auto om = number(text, at, 2);
        if (!oh || !om || !colon || *oh > 23 || *om > 59) {
            return std::nullopt;
        }
        offset_minutes = (*oh * 60 + *om) * (minus ? -1 : 1);
    } else {
        return std::nullopt;
    }
    const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
    if (at != text.size() || !date.ok()) {
        return std::nullopt;
    }
    const std::int64_t day_number = sys_days{date}.time_since_epoch().count();
    return ((day_number * 24 + *h) * 60 + *mi - offset_minutes) * 60'000 + *s * 1000LL + ms;
}

}  // namespace locker
