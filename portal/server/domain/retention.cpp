#include "portal/server/domain/retention.hpp"

#include <algorithm>

#include "portal/server/domain/people.hpp"
#include "portal/server/domain/statistics.hpp"

namespace locker::portal {
namespace {

std::int64_t setting(office& o, const std::string& name, std::int64_t otherwise) {
    long long value = 0;
    o.db.sql() << "SELECT value FROM settings WHERE name = :n", soci::use(name), soci::into(value);
    return o.db.sql().got_data() ? value : otherwise;
}

void set(office& o, const std::string& name, std::int64_t value) {
    const long long v = value;
    o.db.sql() << "DELETE FROM settings WHERE name = :n", soci::use(name);
    o.db.sql() << "INSERT INTO settings (name, value) VALUES (:n, :v)", soci::use(name), soci::use(v);
}

bool within(std::int64_t value, std::int64_t least, std::int64_t most) {
    return value >= least && value <= most;
}

}  // namespace

retention retention_of(office& o) {
    return {setting(o, "cases_days", o.by.keep_cases_ms / day), setting(o, "audit_days", o.by.keep_audit_ms / day)};
}

result<void> set_retention(office& o, const retention& keep) {
    if (!within(keep.cases_days, 1, retention_most_days) ||
        !within(keep.audit_days, audit_least_days, retention_most_days)) {
        return problem{
            400, "malformed",
            "事项保留 1 至 3650 天，访问记录 30 至 3650 天。 Cases are kept 1 to 3650 days, the access log 30 "
            "to 3650."};
    }
    set(o, "cases_days", keep.cases_days);
    set(o, "audit_days", keep.audit_days);
    return {};
}

std::int64_t purge(office& o) {
    auto& sql = o.db.sql();
    const auto keep = retention_of(o);
    const long long cases_before = o.now() - keep.cases_days * day;
    const long long audit_before = o.now() - keep.audit_days * day;
    std::int64_t gone = 0;
    std::vector<std::string> old(500);
    // Ended, or begun and left: no papers of theirs were ever behind a door.
    sql << "SELECT id FROM cases WHERE (state IN ('done', 'cancelled') OR (state = 'awaiting_papers' AND NOT EXISTS "
           "(SELECT 1 FROM deposits d WHERE d.case_id = cases.id AND (d.state IN ('reserved', 'deposited', "
           "'confirmed') OR (d.state = 'asked' AND d.grant_until > :g))))) AND changed_at < :t",
        soci::use(cases_before), soci::use(cases_before), soci::into(old);
    for (const auto& id : old) {
        sql << "DELETE FROM case_log WHERE case_id = :c", soci::use(id);
        sql << "DELETE FROM deposits WHERE case_id = :c", soci::use(id);
        sql << "DELETE FROM cases WHERE id = :c", soci::use(id);
        ++gone;
    }
    std::vector<std::string> unused(500);
    sql << "SELECT id FROM people p WHERE seen_at < :t AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.person = p.id OR "
           "c.delegate = p.id)",
        soci::use(cases_before), soci::into(unused);
    for (const auto& id : unused) {
        erase_person(o, id);
        ++gone;
    }
    sql << "DELETE FROM notices WHERE state <> 'waiting' AND created_at < :t", soci::use(cases_before);
    const long long sessions_before = o.now() - std::max(o.by.session_idle_ms, o.by.staff_longest_ms);
    sql << "DELETE FROM sessions WHERE seen_at < :t", soci::use(sessions_before);
    const long long codes_before = o.now() - hour;
    sql << "DELETE FROM one_time_codes WHERE first_at < :t AND sent_at < :u", soci::use(codes_before),
        soci::use(codes_before);
    sql << "DELETE FROM audit WHERE at < :t", soci::use(audit_before);
    sql << "DELETE FROM remote_openings WHERE created_at < :t", soci::use(audit_before);
    // A return's wait is counted from when its case's papers were taken.
    sql << "DELETE FROM stays WHERE lay_from < :t AND lay_until < :u AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.id "
           "= "
           "stays.case_id)",
        soci::use(cases_before), soci::use(cases_before);
    roll_up(o);
    return gone;
}

}  // namespace locker::portal
