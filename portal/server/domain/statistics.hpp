// What the city counts: how many papers went in and out, how long they waited for whom, what jammed. By hour, cabinet
// and service; sums alone, so nothing of a person is in them, and they stay when cases are purged. An hour may be the
// visit of one person: hours become days when they are old, and a single service is told by whole days alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "portal/server/domain/intake.hpp"
#include "portal/server/domain/office.hpp"

namespace locker::portal {

// Upper bounds of waiting times, in seconds; the last is beyond them all.
inline constexpr std::array<std::int64_t, 10> wait_bounds_s{900,     3'600,   14'400,  43'200,    86'400,
                                                            172'800, 259'200, 604'800, 1'209'600, INT64_MAX};

enum class measure : std::uint8_t {
    papers_in,     // residents' papers put in …
    papers_taken,  // … and taken by staff: with the wait
    returned,      // put back by staff: with the time they had them
    collected,     // by the resident: with the wait
    taken_back,    // by whoever had put them in
    overdue,
    reclaimed,
    openings,  // doors seen open
    jams,
};
inline constexpr std::size_t measures = 9;
[[nodiscard]] std::string_view name(measure m);
// Whether its sums are of times.
[[nodiscard]] bool has_wait(measure m);

struct waits {
    std::int64_t n = 0;
    std::int64_t known = 0;  // of them with a wait: papers that lay there before anybody counted have none
    std::int64_t total_s = 0;
    std::array<std::int64_t, wait_bounds_s.size()> within{};  // how many in each bound, not summed up
    // The least bound that this part of all is within; 0: there was none; INT64_MAX: beyond them.
    [[nodiscard]] std::int64_t within_s(double part) const;
};

// When it happened: by the cabinet's clock, unless that is wrong beyond belief; then it is now.
[[nodiscard]] bool believed(const office& o, const cabinet_event& e);
[[nodiscard]] std::int64_t happened_ms(const office& o, const cabinet_event& e);

// In the transaction of the event.
struct counted_event {
    const cabinet_event& event;
    std::string service;  // empty: of none that is known here
    std::string deposit;  // empty: it speaks of none
    std::string kind;
    std::string case_id;
    bool taken_back = false;
    bool lay = false;      // it lies there already, as far as is known here
    bool counted = false;  // by the ledger that the cabinet had before: times are noted, and nothing is added
};
void count(office& o, const counted_event& e);

// Sums of hours become those of their days once they are older than `hours_kept`, and nothing is kept beyond
// `days_most`. In a transaction of its own.
inline constexpr std::int64_t hours_kept = 92 * day;
inline constexpr std::int64_t days_most = 3'660;
void roll_up(office& o);

enum class grouping : std::uint8_t { each_hour, each_day, hour_of_day, cabinet, service };
[[nodiscard]] std::optional<grouping> grouping_from(std::string_view text);

struct statistics_wish {
    std::int64_t from_ms = 0;   // the office's own time; inclusive
    std::int64_t until_ms = 0;  // exclusive
    std::string cabinet;        // empty: all
    std::string service;
    grouping by = grouping::each_day;
};
struct statistics_row {
    std::string key;  // "2026-11-24", "2026-11-24T09", "09", a cabinet's or a service's id
    std::array<waits, measures> of;
};
// Errors: malformed. Hours are told of the last `hours_kept`, 31 days at once, and of no single service.
[[nodiscard]] result<void> check(const office& o, const statistics_wish& wish);
// In the order of their keys, the office's own time; hours and days without anything are left out.
[[nodiscard]] std::vector<statistics_row> statistics(soci::session& sql, const statistics_wish& wish);

}  // namespace locker::portal
