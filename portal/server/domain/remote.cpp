#include "portal/server/domain/remote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "portal/server/domain/cabinets.hpp"
#include "protocol/limits.hpp"

namespace locker::portal {
namespace {

constexpr std::array<std::string_view, 5> names{"asked", "approved", "done", "withdrawn", "expired"};
constexpr const char* columns =
    "id, cabinet, door, reason, asked_by, approved_by, state, outcome, created_at, settled_at";

const problem unknown{404, "unknown", "没有此申请。 There is no such request."};
const problem settled_already{409, "wrong_state", "此申请已处理或已过期。 That request was settled, or is too old."};

remote_opening of_row(const soci::row& r, std::int64_t now_ms) {
    remote_opening out;
    out.id = r.get<std::string>(0);
    out.cabinet = r.get<std::string>(1);
    out.door = r.get<int>(2);
    out.reason = r.get<std::string>(3);
    out.asked_by = r.get<std::string>(4);
    out.approved_by = r.get<std::string>(5);
    const auto state = r.get<std::string>(6);
    out.state = static_cast<remote_state>(std::find(names.begin(), names.end(), state) - names.begin());
    out.outcome = r.get<std::string>(7);
    out.created_ms = r.get<long long>(8);
    out.settled_ms = r.get<long long>(9);
    if (out.state == remote_state::asked && now_ms - out.created_ms > remote_waits_ms) {
        out.state = remote_state::expired;
    }
    return out;
}

std::optional<remote_opening> find(office& o, const std::string& id) {
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + columns + " FROM remote_openings WHERE id = :i", soci::use(id));
    for (const auto& r : rows) {
        return of_row(r, o.now());
    }
    return std::nullopt;
}

// One that still waits, of a cabinet where this person works.
result<remote_opening> waiting_one(office& o, const staff_account& who, const std::string& id) {
    auto found = find(o, id);
    if (!found || !find_cabinet(o, found->cabinet) || !may_work_at(who, found->cabinet)) {
        return unknown;
    }
    if (found->state != remote_state::asked) {
        return settled_already;
    }
    return *found;
}

void move_to(office& o, remote_opening& what, remote_state state, const std::string& second) {
    what.state = state;
    what.approved_by = second;
    what.settled_ms = o.now();
    const std::string called(name(state));
    const long long at = what.settled_ms;
    o.db.sql() << "UPDATE remote_openings SET state = :s, approved_by = :a, settled_at = :t WHERE id = :i",
        soci::use(called), soci::use(second), soci::use(at), soci::use(what.id);
    o.changed("work");
}

}  // namespace

std::string_view name(remote_state state) {
    return names.at(static_cast<std::size_t>(state));
}

result<remote_opening> ask_remote(office& o, const staff_account& who, const std::string& cabinet, int door,
                                  const std::string& reason) {
    if (!find_cabinet(o, cabinet) || !may_work_at(who, cabinet)) {
        return problem{404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."};
    }
    if (door < 1 || door > limits::compartment_max) {
        return problem{400, "malformed", "请填写柜门号。 A door's number is wanted."};
    }
    if (reason.find_first_not_of(" \t\n") == std::string::npos || reason.size() > remote_reason_bytes) {
        return problem{400, "malformed",
                       "请写明原因（不超过 200 字节，不要写姓名电话）。 A reason is wanted, 200 bytes at most, without "
                       "names or phone numbers."};
    }
    const long long since = o.now() - remote_waits_ms;
    const std::string waits(name(remote_state::asked));
    int of_door = 0;
    int of_person = 0;
    o.db.sql() << "SELECT COUNT(*) FROM remote_openings WHERE created_at >= :t AND state = :s AND cabinet = :c AND "
                  "door = :d",
        soci::use(since), soci::use(waits), soci::use(cabinet), soci::use(door), soci::into(of_door);
    if (of_door != 0) {
        return problem{409, "busy", "该柜门已有申请在等待。 A request for that door waits already."};
    }
    o.db.sql() << "SELECT COUNT(*) FROM remote_openings WHERE created_at >= :t AND state = :s AND asked_by = :a",
        soci::use(since), soci::use(waits), soci::use(who.number), soci::into(of_person);
    if (of_person >= static_cast<int>(remote_asked_most)) {
        return problem{
            409, "busy",
            "您已有 5 个申请在等待，请先处理或撤回。 Five of your requests wait already; have them settled, or "
            "withdraw one."};
    }
    remote_opening out;
    out.id = "r-" + o.safe.token(12);
    out.cabinet = cabinet;
    out.door = door;
    out.reason = reason;
    out.asked_by = who.number;
    out.created_ms = o.now();
    const long long now = out.created_ms;
    const std::string state(name(out.state));
    o.db.sql() << "INSERT INTO remote_openings (id, cabinet, door, reason, asked_by, approved_by, state, outcome, "
                  "created_at, settled_at) VALUES (:i, :c, :d, :r, :a, '', :s, '', :t, 0)",
        soci::use(out.id), soci::use(cabinet), soci::use(door), soci::use(reason), soci::use(who.number),
        soci::use(state), soci::use(now);
    audit(o, "staff:" + who.number, "remote opening asked for: " + reason, fmt::format("{}/{}", cabinet, door));
    o.changed("work");
    return out;
}

result<remote_opening> approve_remote(office& o, const staff_account& who, const std::string& id) {
    auto found = waiting_one(o, who, id);
    if (!found) {
        return found;
    }
    if (found->asked_by == who.number) {
        return problem{403, "not_permitted", "需要另一位同事同意。 Another person has to approve."};
    }
    const auto asker = find_staff(o, found->asked_by);  // much may have happened in ten minutes
    if (!asker || !asker->active || asker->role != "admin" || !may_work_at(*asker, found->cabinet)) {
        return problem{403, "not_permitted", "申请人已无此权限。 Whoever asked may not do so any more."};
    }
    const auto since = o.now() - remote_account_age_ms;
    if (given_access_since(o, who.number, since) || given_access_since(o, asker->number, since)) {
        return problem{403, "not_permitted",
                       "双方账号须在一天前已开通或重置。 Either account was made or given a new password within a day: "
                       "another person has to approve."};
    }
    move_to(o, *found, remote_state::approved, who.number);
    audit(o, "staff:" + who.number, "remote opening approved", fmt::format("{}/{}", found->cabinet, found->door));
    return found;
}

result<remote_opening> withdraw_remote(office& o, const staff_account& who, const std::string& id) {
    auto found = waiting_one(o, who, id);
    if (!found) {
        return found;
    }
    move_to(o, *found, remote_state::withdrawn, who.number);
    audit(o, "staff:" + who.number, "remote opening withdrawn", fmt::format("{}/{}", found->cabinet, found->door));
    return found;
}

void settle_remote(office& o, const std::string& id, const std::string& outcome) {
    const std::string done(name(remote_state::done));
    const long long now = o.now();
    o.db.sql() << "UPDATE remote_openings SET state = :s, outcome = :o, settled_at = :t WHERE id = :i", soci::use(done),
        soci::use(outcome), soci::use(now), soci::use(id);
    o.changed("work");
}

std::vector<remote_opening> remote_openings(office& o, const staff_account& who, std::size_t most) {
    std::vector<remote_opening> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + columns + " FROM remote_openings ORDER BY created_at DESC");
    for (const auto& r : rows) {
        auto one = of_row(r, o.now());
        if (may_work_at(who, one.cabinet)) {
            out.push_back(std::move(one));
        }
        if (out.size() == most) {
            break;
        }
    }
    return out;
}

}  // namespace locker::portal
