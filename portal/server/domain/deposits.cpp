#include "portal/server/domain/deposits.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "portal/server/domain/cabinets.hpp"
#include "protocol/code.hpp"
#include "protocol/limits.hpp"

namespace locker::portal {
namespace {

// The cabinet tries five from the one after the last that it accepted, which may be any that was shown.
bool would_accept(const deposit_record& d, const key256& cabinet_key, const std::string& code) {
    const auto key = deposit_key(cabinet_key, d.id);
    const std::int64_t last = std::max(d.first_issue, d.latest_issue + 1) + limits::code_window - 1;
    for (std::int64_t issue = d.first_issue; issue <= last; ++issue) {
        if (pickup_code(key, static_cast<std::uint64_t>(issue)) == code) {
            return true;
        }
    }
    return false;
}

}  // namespace

deposit_record deposit_of_row(const soci::row& r, std::size_t from) {
    deposit_record d;
    d.id = r.get<std::string>(from);
    d.cabinet = r.get<std::string>(from + 1);
    d.case_id = r.get<std::string>(from + 2);
    d.kind = r.get<std::string>(from + 3);
    d.state = r.get<std::string>(from + 4);
    d.compartment = r.get<int>(from + 5);
    d.size = r.get<std::string>(from + 6);
    d.accessible = r.get<int>(from + 7) != 0;
    d.confirm_wanted = r.get<int>(from + 8) != 0;
    d.first_issue = r.get<long long>(from + 9);
    d.latest_issue = r.get<long long>(from + 10);
    d.renew = r.get<int>(from + 11) != 0;
    d.changed_ms = r.get<long long>(from + 12);
    d.grant_until_ms = r.get<long long>(from + 13);
    d.revoke_to = r.get<long long>(from + 14);
    d.taken_back_by = r.get<std::string>(from + 15);
    return d;
}

bool live(const deposit_record& d) {
    return d.state == "asked" || d.state == "reserved" || stored(d);
}

bool stored(const deposit_record& d) {
    return d.state == "deposited" || d.state == "confirmed";
}

bool may_hold(const deposit_record& d, std::int64_t now_ms) {
    return d.state == "reserved" || stored(d) || (d.state == "asked" && now_ms < d.grant_until_ms);
}

std::optional<deposit_record> find_deposit(office& o, const std::string& id) {
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + deposit_columns + " FROM deposits d WHERE d.id = :i",
         soci::use(id));
    for (const auto& r : rows) {
        return deposit_of_row(r);
    }
    return std::nullopt;
}

std::vector<deposit_record> live_deposits(office& o, const std::string& cabinet) {
    std::vector<deposit_record> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + deposit_columns +
                                   " FROM deposits d WHERE d.cabinet = :c AND d.state IN ('asked', 'reserved', "
                                   "'deposited', 'confirmed')",
         soci::use(cabinet));
    for (const auto& r : rows) {
        out.push_back(deposit_of_row(r));
    }
    return out;
}

void save(office& o, const deposit_record& d) {
    const int accessible = d.accessible ? 1 : 0;
    const int wanted = d.confirm_wanted ? 1 : 0;
    const int renew = d.renew ? 1 : 0;
    const long long first = d.first_issue;
    const long long latest = d.latest_issue;
    const long long now = o.now();
    const long long grant_until = d.grant_until_ms;
    const long long revoke_to = d.revoke_to;
    o.db.sql() << "DELETE FROM deposits WHERE id = :i", soci::use(d.id);
    o.db.sql() << "INSERT INTO deposits (id, cabinet, case_id, kind, state, compartment, size, accessible, "
                  "confirm_wanted, first_issue, latest_issue, renew, changed_at, grant_until, revoke_to, "
                  "taken_back_by) VALUES (:i, :c, :e, "
                  ":k, :s, :n, :z, :a, :w, :f, :l, :r, :t, :g, :v, :b)",
        soci::use(d.id), soci::use(d.cabinet), soci::use(d.case_id), soci::use(d.kind), soci::use(d.state),
        soci::use(d.compartment), soci::use(d.size), soci::use(accessible), soci::use(wanted), soci::use(first),
        soci::use(latest), soci::use(renew), soci::use(now), soci::use(grant_until), soci::use(revoke_to),
        soci::use(d.taken_back_by);
}

std::string new_deposit_id(const office& o) {
    return "d-" + o.safe.token(12);
}

result<std::string> show_code(office& o, deposit_record& d, bool another) {
    if (!stored(d)) {
        return problem{409, "wrong_state", "柜中没有可取的资料。 Nothing lies in the cabinet to be collected."};
    }
    const auto cabinet_key = key_of(o, d.cabinet);
    const auto key = deposit_key(cabinet_key, d.id);
    const auto code = [&](std::int64_t issue) { return pickup_code(key, static_cast<std::uint64_t>(issue)); };
    const bool good = d.latest_issue >= d.first_issue && !d.renew;
    if (!good || another) {
        const auto others = live_deposits(o, d.cabinet);
        const std::int64_t last = d.first_issue + limits::code_window - 1;
        for (std::int64_t issue = std::max(d.latest_issue + 1, d.first_issue); issue <= last; ++issue) {
            const bool taken = std::any_of(others.begin(), others.end(), [&](const auto& other) {
                return other.id != d.id && would_accept(other, cabinet_key, code(issue));
            });
            if (!taken) {
                d.latest_issue = issue;
                d.renew = false;
                save(o, d);
                break;
            }
        }
    }
    return code(std::max(d.latest_issue, d.first_issue));
}

bool end_codes(office& o, deposit_record& d) {
    if (!stored(d) || d.latest_issue < 0) {
        return false;
    }
    d.first_issue = std::max(d.first_issue, d.latest_issue + 1);
    d.revoke_to = d.first_issue;
    d.renew = false;
    save(o, d);
    return true;
}

void codes_ended(office& o, deposit_record& d, std::int64_t issue_min) {
    d.first_issue = std::max(d.first_issue, issue_min);
    if (d.revoke_to <= issue_min) {
        d.revoke_to = 0;
    }
    save(o, d);
}

std::string sign(const office& o, const grant_claims& what) {
    const std::int64_t now_s = o.now() / 1000;
    boost::json::object claims{{"aud", what.cabinet},
                               {"jti", o.safe.token(12)},
                               {"iat", now_s},
                               {"exp", now_s + what.life_s},
                               {"act", what.act}};
    if (!what.epoch.empty()) {
        claims["epoch"] = what.epoch;
    }
    for (const auto& [key, value] : what.more) {
        claims[key] = value;
    }
    return mint_grant(claims, o.issuer);
}

}  // namespace locker::portal
