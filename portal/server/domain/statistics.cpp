#include "portal/server/domain/statistics.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

struct measure_name {
    std::string_view says;
    bool wait;
};
constexpr std::array<measure_name, measures> names{{{"papers_in", false},
                                                    {"papers_taken", true},
                                                    {"returned", true},
                                                    {"collected", true},
                                                    {"taken_back", false},
                                                    {"overdue", false},
                                                    {"reclaimed", false},
                                                    {"openings", false},
                                                    {"jams", false}}};

constexpr std::int64_t first_believed = 1'700'000'000'000;  // 2023: no cabinet of ours is older
constexpr int of_unknown_wait = -1;                         // a bucket
constexpr long long wait_grain_s = 300;                     // a sum of one is no single person's minute
constexpr long long hours_of_day = day / hour;

// When it happened, in hours of the office's own time: what a day is must not change with the offset.
long long local_hour(const office& o, std::int64_t at_ms) {
    return (at_ms + o.by.utc_offset_ms) / hour;
}

void add(office& o, const counted_event& e, measure m, std::optional<std::int64_t> wait_ms = std::nullopt) {
    if (e.counted) {
        return;
    }
    const long long at = local_hour(o, happened_ms(o, e.event));
    const std::string called(name(m));
    const long long exact_s = std::max<std::int64_t>(0, wait_ms.value_or(0)) / second;
    const auto bound = std::find_if(wait_bounds_s.begin(), wait_bounds_s.end(), [&](auto b) { return exact_s <= b; });
    const long long wait_s = (exact_s + wait_grain_s / 2) / wait_grain_s * wait_grain_s;
    const int bucket = !has_wait(m) ? 0 : wait_ms ? static_cast<int>(bound - wait_bounds_s.begin()) : of_unknown_wait;
    o.db.sql() << "INSERT INTO statistics (span, hour, cabinet, service, measure, bucket, n, total_s) VALUES (1, :h, "
                  ":c, :s, :m, :b, 1, :t) ON CONFLICT (span, hour, cabinet, service, measure, bucket) DO UPDATE SET n "
                  "= statistics.n + 1, total_s = statistics.total_s + excluded.total_s",
        soci::use(at), soci::use(e.event.cabinet), soci::use(e.service), soci::use(called), soci::use(bucket),
        soci::use(wait_s);
}

// When papers came to lie there and when they were taken out, by the cabinets' clocks. Deposits themselves are written
// by times of our own, and those of other systems not at all. 0: not known, or not yet.
struct stay {
    long long from = 0;
    long long until = 0;
};

std::optional<stay> stay_of(office& o, const counted_event& e) {
    stay found;
    o.db.sql() << "SELECT lay_from, lay_until FROM stays WHERE cabinet = :a AND deposit = :i",
        soci::use(e.event.cabinet), soci::use(e.deposit), soci::into(found.from), soci::into(found.until);
    return o.db.sql().got_data() ? std::optional(found) : std::nullopt;
}

void write(office& o, const counted_event& e, const stay& s) {
    o.db.sql() << "INSERT INTO stays (cabinet, deposit, case_id, kind, lay_from, lay_until) VALUES (:a, :i, :c, :k, "
                  ":f, :u) ON CONFLICT (cabinet, deposit) DO UPDATE SET lay_until = excluded.lay_until",
        soci::use(e.event.cabinet), soci::use(e.deposit), soci::use(e.case_id), soci::use(e.kind), soci::use(s.from),
        soci::use(s.until);
}

std::optional<std::int64_t> since(long long from, std::int64_t at) {
    return from == 0 ? std::nullopt : std::optional<std::int64_t>(at - from);
}

void count_deposited(office& o, const counted_event& e) {
    if (stay_of(o, e)) {
        return;  // opened again, say: it was counted
    }
    const long long at = happened_ms(o, e.event);
    const bool since_then = e.counted ? believed(o, e.event) : !e.lay;
    write(o, e, {since_then ? at : 0, 0});
    if (e.lay) {
        return;
    }
    if (e.kind != "return") {
        add(o, e, measure::papers_in);
        return;
    }
    long long taken = 0;
    o.db.sql() << "SELECT COALESCE(MAX(lay_until), 0) FROM stays WHERE case_id = :c AND kind = 'intake'",
        soci::use(e.case_id), soci::into(taken);
    add(o, e, measure::returned, since(e.case_id.empty() ? 0 : taken, at));
}

// Retrieved, or moved to the counter by staff.
void count_ended(office& o, const counted_event& e) {
    const auto lay = stay_of(o, e).value_or(stay{});
    if (lay.until != 0) {
        return;
    }
    const long long at = happened_ms(o, e.event);
    write(o, e, {lay.from, at});
    if (e.event.type == "deposit.reclaimed") {
        add(o, e, measure::reclaimed);
    } else if (e.taken_back) {
        add(o, e, measure::taken_back);
    } else {
        add(o, e, e.kind == "return" ? measure::collected : measure::papers_taken, since(lay.from, at));
    }
}

// What rows are grouped by, in hours or names, and its key for people.
std::string column_of(grouping by) {
    switch (by) {
        case grouping::each_hour:
            return "CAST(hour AS TEXT)";
        case grouping::each_day:
            return "CAST(hour / 24 AS TEXT)";
        case grouping::hour_of_day:
            return "CAST(hour % 24 AS TEXT)";
        case grouping::cabinet:
            return "cabinet";
        case grouping::service:
            return "service";
    }
    return "''";
}

std::string key_of(grouping by, const std::string& group) {
    switch (by) {
        case grouping::each_hour:
            return format_time(std::stoll(group) * hour).substr(0, 13);
        case grouping::each_day:
            return format_time(std::stoll(group) * day).substr(0, 10);
        case grouping::hour_of_day:
            return (group.size() < 2 ? "0" : "") + group;
        case grouping::cabinet:
        case grouping::service:
            return group;
    }
    return "";
}

// A fetch shrinks what it fills to what there was.
template <typename... V>
void for_next(std::size_t n, V&... filled) {
    (filled.resize(n), ...);
}

bool of_hours(grouping by) {
    return by == grouping::each_hour || by == grouping::hour_of_day;
}

}  // namespace

// An hour in the future, or before there were cabinets, is not when it was.
bool believed(const office& o, const cabinet_event& e) {
    return e.at_ms >= first_believed && e.at_ms <= o.now() + hour;
}

std::int64_t happened_ms(const office& o, const cabinet_event& e) {
    return believed(o, e) ? e.at_ms : o.now();
}

std::string_view name(measure m) {
    return names.at(static_cast<std::size_t>(m)).says;
}

bool has_wait(measure m) {
    return names.at(static_cast<std::size_t>(m)).wait;
}

std::int64_t waits::within_s(double part) const {
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < within.size(); ++i) {
        seen += within.at(i);
        if (known > 0 && static_cast<double>(seen) >= part * static_cast<double>(known)) {
            return wait_bounds_s.at(i);
        }
    }
    return 0;
}

void count(office& o, const counted_event& e) {
    const auto& type = e.event.type;
    if (type == "opening.opened") {
        add(o, e, measure::openings);
    } else if (type == "opening.jammed") {
        add(o, e, measure::jams);
    } else if (type == "deposit.overdue") {
        add(o, e, measure::overdue);
    } else if (e.deposit.empty()) {
        return;  // the contract has none without
    } else if (type == "deposit.deposited") {
        count_deposited(o, e);
    } else if (type == "deposit.retrieved" || type == "deposit.reclaimed") {
        count_ended(o, e);
    }
}

void roll_up(office& o) {
    transaction t(o.db.sql());
    const long long before = local_hour(o, o.now() - hours_kept) / hours_of_day * hours_of_day;
    o.db.sql() << "INSERT INTO statistics (span, hour, cabinet, service, measure, bucket, n, total_s) SELECT 24, hour "
                  "/ 24 * 24, cabinet, service, measure, bucket, SUM(n), SUM(total_s) FROM statistics WHERE span = 1 "
                  "AND hour < :b GROUP BY hour / 24, cabinet, service, measure, bucket ON CONFLICT (span, hour, "
                  "cabinet, service, measure, bucket) DO UPDATE SET n = statistics.n + excluded.n, total_s = "
                  "statistics.total_s + excluded.total_s",
        soci::use(before);
    o.db.sql() << "DELETE FROM statistics WHERE span = 1 AND hour < :b", soci::use(before);
    const long long oldest = local_hour(o, o.now() - days_most * day);
    o.db.sql() << "DELETE FROM statistics WHERE span = 24 AND hour < :o", soci::use(oldest);
    t.commit();
}

std::optional<grouping> grouping_from(std::string_view text) {
    constexpr std::array<std::string_view, 5> words{"hour", "day", "hour_of_day", "cabinet", "service"};
    const auto* at = std::find(words.begin(), words.end(), text);
    return at == words.end() ? std::nullopt : std::optional(static_cast<grouping>(at - words.begin()));
}

result<void> check(const office& o, const statistics_wish& wish) {
    constexpr std::int64_t hours_at_once = 31 * day;
    if (wish.until_ms <= wish.from_ms || wish.until_ms - wish.from_ms > days_most * day) {
        return problem{400, "malformed",
                       "起止日期应先后有序，最多十年。 from and to: one after the other, ten years at most."};
    }
    if (!of_hours(wish.by)) {
        return {};
    }
    if (!wish.service.empty()) {
        return problem{400, "malformed",
                       "单项业务按天统计，不按小时：一小时内可能只有一人。 A single service is told by days, not by "
                       "hours: an hour may be one person."};
    }
    if (wish.from_ms < o.now() + o.by.utc_offset_ms - hours_kept ||
        (wish.by == grouping::each_hour && wish.until_ms - wish.from_ms > hours_at_once)) {
        return problem{400, "malformed",
                       "按小时的数据保留 92 天，一次最多查 31 天；更早的请按天查。 Hours are kept for 92 days and told "
                       "for 31 at once; ask for days."};
    }
    return {};
}

std::vector<statistics_row> statistics(soci::session& sql, const statistics_wish& wish) {
    constexpr std::size_t at_once = 1'000;
    const long long from = wish.from_ms / hour;
    const long long until = (wish.until_ms + hour - 1) / hour;
    const int longest = of_hours(wish.by) ? 1 : 24;
    std::vector<std::string> groups(at_once);
    std::vector<std::string> called(at_once);
    std::vector<int> buckets(at_once);
    std::vector<long long> counts(at_once);
    std::vector<long long> totals(at_once);
    std::map<std::string, statistics_row> found;
    const auto group = column_of(wish.by);
    soci::statement asked =
        (sql.prepare << "SELECT " + group +
                            ", measure, bucket, CAST(SUM(n) AS BIGINT), CAST(SUM(total_s) AS BIGINT) FROM statistics "
                            "WHERE span IN (1, :l) AND hour >= :f AND hour < :u AND (:c = '' OR cabinet = :d) AND (:s "
                            "= '' OR service = :t) GROUP BY " +
                            group + ", measure, bucket",
         soci::use(longest), soci::use(from), soci::use(until), soci::use(wish.cabinet), soci::use(wish.cabinet),
         soci::use(wish.service), soci::use(wish.service), soci::into(groups), soci::into(called), soci::into(buckets),
         soci::into(counts), soci::into(totals));
    asked.execute();
    while (asked.fetch()) {
        for (std::size_t i = 0; i < groups.size(); ++i) {
            const auto* at =
                std::find_if(names.begin(), names.end(), [&](const auto& m) { return m.says == called[i]; });
            if (at == names.end() || buckets[i] >= static_cast<int>(wait_bounds_s.size())) {
                continue;  // of a later version
            }
            auto& row = found[key_of(wish.by, groups[i])];
            auto& sums = row.of.at(static_cast<std::size_t>(at - names.begin()));
            sums.n += counts[i];
            sums.total_s += totals[i];
            if (at->wait && buckets[i] >= 0) {
                sums.known += counts[i];
                sums.within.at(static_cast<std::size_t>(buckets[i])) += counts[i];
            }
        }
        for_next(at_once, groups, called, buckets, counts, totals);
    }
    for (auto& [key, row] : found) {
        row.key = key;
    }
    std::vector<statistics_row> out;
    out.reserve(found.size());
    for (auto& [key, row] : found) {
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace locker::portal
