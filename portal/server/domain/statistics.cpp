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

void add(office& o, const counted_event& e, measure m, std::int64_t wait_ms = 0) {
    const long long at = happened_ms(o, e.event) / hour;
    const std::string called(name(m));
    const long long wait_s = std::max<std::int64_t>(0, wait_ms) / second;
    const auto bound = std::find_if(wait_bounds_s.begin(), wait_bounds_s.end(), [&](auto b) { return wait_s <= b; });
    const int bucket = has_wait(m) ? static_cast<int>(bound - wait_bounds_s.begin()) : 0;
    o.db.sql() << "INSERT INTO statistics (hour, cabinet, service, measure, bucket, n, total_s) VALUES (:h, :c, :s, "
                  ":m, :b, 1, :t) ON CONFLICT (hour, cabinet, service, measure, bucket) DO UPDATE SET n = "
                  "statistics.n + 1, total_s = statistics.total_s + excluded.total_s",
        soci::use(at), soci::use(e.event.cabinet), soci::use(e.service), soci::use(called), soci::use(bucket),
        soci::use(wait_s);
}

// When papers came to lie there and when they were taken out, by the cabinets' clocks. Deposits themselves are written
// by times of our own.
void count_deposited(office& o, const counted_event& e) {
    const long long at = happened_ms(o, e.event);
    o.db.sql() << "DELETE FROM stays WHERE deposit = :i", soci::use(e.deposit);
    o.db.sql() << "INSERT INTO stays (deposit, case_id, kind, lay_from, lay_until) VALUES (:i, :c, :k, :t, 0)",
        soci::use(e.deposit), soci::use(e.case_id), soci::use(e.kind), soci::use(at);
    if (e.kind != "return") {
        add(o, e, measure::papers_in);
        return;
    }
    long long taken = 0;
    o.db.sql() << "SELECT COALESCE(MAX(lay_until), 0) FROM stays WHERE case_id = :c AND kind = 'intake'",
        soci::use(e.case_id), soci::into(taken);
    add(o, e, measure::returned, taken == 0 ? 0 : at - taken);
}

void count_retrieved(office& o, const counted_event& e) {
    const long long at = happened_ms(o, e.event);
    o.db.sql() << "UPDATE stays SET lay_until = :t WHERE deposit = :i", soci::use(at), soci::use(e.deposit);
    if (e.taken_back) {
        add(o, e, measure::taken_back);
        return;
    }
    long long from = at;
    o.db.sql() << "SELECT lay_from FROM stays WHERE deposit = :i", soci::use(e.deposit), soci::into(from);
    add(o, e, e.kind == "return" ? measure::collected : measure::papers_taken, at - from);
}

std::string key_of(grouping by, std::int64_t local_ms, const std::string& cabinet, const std::string& service) {
    const auto text = format_time(local_ms);
    switch (by) {
        case grouping::each_hour:
            return text.substr(0, 13);
        case grouping::each_day:
            return text.substr(0, 10);
        case grouping::hour_of_day:
            return text.substr(11, 2);
        case grouping::cabinet:
            return cabinet;
        case grouping::service:
            return service;
    }
    return "";
}

}  // namespace

// An hour in the future, or before there were cabinets, is not when it was.
std::int64_t happened_ms(const office& o, const cabinet_event& e) {
    return e.at_ms < first_believed || e.at_ms > o.now() + hour ? o.now() : e.at_ms;
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
        if (n > 0 && static_cast<double>(seen) >= part * static_cast<double>(n)) {
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
    } else if (!e.moved) {
        return;  // put in again, say: it lay there before
    } else if (type == "deposit.deposited") {
        count_deposited(o, e);
    } else if (type == "deposit.retrieved") {
        count_retrieved(o, e);
    } else if (type == "deposit.reclaimed") {
        add(o, e, measure::reclaimed);
    }
}

std::optional<grouping> grouping_from(std::string_view text) {
    constexpr std::array<std::string_view, 5> words{"hour", "day", "hour_of_day", "cabinet", "service"};
    const auto* at = std::find(words.begin(), words.end(), text);
    return at == words.end() ? std::nullopt : std::optional(static_cast<grouping>(at - words.begin()));
}

std::vector<statistics_row> statistics(office& o, const statistics_wish& wish) {
    const long long from = wish.from_ms / hour;
    const long long until = (wish.until_ms + hour - 1) / hour;
    std::map<std::string, statistics_row> found;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT hour, cabinet, service, measure, bucket, n, total_s FROM statistics WHERE hour "
                               ">= :f AND hour < :u AND (:c = '' OR cabinet = :d) AND (:s = '' OR service = :t)",
         soci::use(from), soci::use(until), soci::use(wish.cabinet), soci::use(wish.cabinet), soci::use(wish.service),
         soci::use(wish.service));
    for (const auto& r : rows) {
        const auto called = r.get<std::string>(3);
        const auto* at = std::find_if(names.begin(), names.end(), [&](const auto& m) { return m.says == called; });
        const auto bucket = static_cast<std::size_t>(r.get<int>(4));
        if (at == names.end() || bucket >= wait_bounds_s.size()) {
            continue;  // of a later version
        }
        const auto key = key_of(wish.by, r.get<long long>(0) * hour + o.by.utc_offset_ms, r.get<std::string>(1),
                                r.get<std::string>(2));
        auto& row = found[key];
        row.key = key;
        auto& sums = row.of.at(static_cast<std::size_t>(at - names.begin()));
        sums.n += r.get<long long>(5);
        sums.total_s += r.get<long long>(6);
        sums.within.at(bucket) += r.get<long long>(5);
    }
    std::vector<statistics_row> out;
    out.reserve(found.size());
    for (auto& [key, row] : found) {
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace locker::portal
