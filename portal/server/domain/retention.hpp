// How long what is kept is kept, and that it goes when its time is over.
#pragma once

#include <cstdint>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

struct retention {
    std::int64_t cases_days = 0;  // 1 to 3650, after a case has ended or was left alone
    std::int64_t audit_days = 0;  // 30 to 3650
};
inline constexpr std::int64_t retention_most_days = 3650;
inline constexpr std::int64_t audit_least_days = 30;

// What the page has set, else the configuration.
[[nodiscard]] retention retention_of(office& o);
// Errors: malformed (out of bounds).
[[nodiscard]] result<void> set_retention(office& o, const retention& keep);

// What those times are over for goes. How many cases and people went.
std::int64_t purge(office& o);

}  // namespace locker::portal
