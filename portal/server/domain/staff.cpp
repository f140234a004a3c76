#include "portal/server/domain/staff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "portal/server/domain/cabinets.hpp"
#include "protocol/code.hpp"
#include "protocol/limits.hpp"
#include "protocol/staff.hpp"

namespace locker::portal {
namespace {

constexpr std::size_t totp_key_bytes = 20;  // RFC 4226 §4: as long as the hash

// RFC 4648 §6, without padding: what authenticators take.
std::string base32(byte_view bytes) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string out;
    unsigned buffer = 0;
    int bits = 0;
    for (const auto byte : bytes) {
        buffer = (buffer << 8U | byte) & 0xFFFFU;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            out += alphabet[buffer >> static_cast<unsigned>(bits) & 31U];
        }
    }
    if (bits > 0) {
        out += alphabet[buffer << static_cast<unsigned>(5 - bits) & 31U];
    }
    return out;
}

std::string cabinets_text(const std::vector<std::string>& cabinets) {
    boost::json::array list;
    for (const auto& c : cabinets) {
        list.emplace_back(c);
    }
    return boost::json::serialize(list);
}

staff_account account_of(office& o, const soci::row& r) {
    staff_account out;
    out.number = r.get<std::string>(0);
    out.name = o.safe.open("staff-name", r.get<std::string>(1)).value_or("");
    out.role = r.get<std::string>(2);
    const auto list = boost::json::parse(r.get<std::string>(3));
    for (const auto& c : list.as_array()) {
        out.cabinets.emplace_back(c.as_string());
    }
    out.active = r.get<int>(4) != 0;
    return out;
}

result<void> check_account(office& o, const staff_account& who) {
    if (!is_staff_number(who.number)) {
        return problem{400, "malformed", "工号应为 4 至 6 位数字。 A staff number has 4 to 6 digits."};
    }
    if (who.name.empty() || who.name.size() > 60) {
        return problem{400, "malformed", "请填写姓名。 A name is wanted, at most 60 bytes."};
    }
    for (const auto& id : who.cabinets) {
        if (id != every_cabinet && !was_cabinet(o, id)) {  // of one that was removed they keep the cases
            return problem{400, "malformed", fmt::format("没有柜子 {0}。 There is no cabinet {0}.", id)};
        }
    }
    if (who.role != "worker" && who.role != "admin") {
        return problem{400, "malformed", "role: worker 或 admin。 role: worker or admin is wanted."};
    }
    return {};
}

}  // namespace

result<std::string> add_staff(office& o, const new_staff& who) {
    if (auto good = check_account(o, who.account); !good) {
        return good.error();
    }
    if (find_staff(o, who.account.number)) {
        return problem{409, "taken", "该工号已存在。 There is such a number already."};
    }
    if (all_staff(o).size() >= limits::staff_max) {
        return problem{409, "too_many", "最多 300 名工作人员。 At most 300 staff: a cabinet's roster holds no more."};
    }
    const auto key = o.from.random(totp_key_bytes);
    const std::string secret = base32(key);
    const std::string name = o.safe.seal("staff-name", who.account.name);
    const std::string totp = o.safe.seal("totp", to_hex(key));
    const std::string cabinets = cabinets_text(who.account.cabinets);
    const int active = who.account.active ? 1 : 0;
    const long long now = o.now();
    o.db.sql()
        << "INSERT INTO staff (number, name, password, totp, totp_step, role, cabinets, active, created_at) VALUES "
           "(:n, :a, :p, :t, 0, :r, :c, :v, :w)",
        soci::use(who.account.number), soci::use(name), soci::use(who.password_hash), soci::use(totp),
        soci::use(who.account.role), soci::use(cabinets), soci::use(active), soci::use(now);
    return secret;
}

result<void> change_staff(office& o, const staff_account& who) {
    if (auto good = check_account(o, who); !good) {
        return good;
    }
    const auto before = find_staff(o, who.number);
    if (!before) {
        return problem{404, "unknown_staff", "没有该工号。 There is no such number."};
    }
    const auto all = all_staff(o);
    const bool admin_goes = before->role == "admin" && (who.role != "admin" || !who.active);
    if (admin_goes &&
        std::count_if(all.begin(), all.end(), [](const auto& s) { return s.active && s.role == "admin"; }) < 2) {
        return problem{409, "last_admin", "这是最后一位管理员。 This is the last administrator."};
    }
    const std::string name = o.safe.seal("staff-name", who.name);
    const std::string cabinets = cabinets_text(who.cabinets);
    const int active = who.active ? 1 : 0;
    o.db.sql() << "UPDATE staff SET name = :a, role = :r, cabinets = :c, active = :v WHERE number = :n",
        soci::use(name), soci::use(who.role), soci::use(cabinets), soci::use(active), soci::use(who.number);
    // Whatever changed, they sign in anew.
    o.db.sql() << "DELETE FROM sessions WHERE role = 'staff' AND subject = :n", soci::use(who.number);
    return {};
}

result<std::string> reset_staff(office& o, const std::string& number, const std::string& password_hash) {
    if (!find_staff(o, number)) {
        return problem{404, "unknown_staff", "没有该工号。 There is no such number."};
    }
    const auto key = o.from.random(totp_key_bytes);
    const std::string totp = o.safe.seal("totp", to_hex(key));
    o.db.sql() << "UPDATE staff SET password = :p, totp = :t WHERE number = :n", soci::use(password_hash),
        soci::use(totp), soci::use(number);
    o.db.sql() << "DELETE FROM sessions WHERE role = 'staff' AND subject = :n", soci::use(number);
    return base32(key);
}

bool given_access_since(office& o, const std::string& number, std::int64_t since_ms) {
    const long long since = since_ms;
    const std::string added = audit_staff_added;
    const std::string reset = audit_staff_reset;
    int found = 0;
    o.db.sql() << "SELECT COUNT(*) FROM audit WHERE whom = :n AND (what = :a OR what = :r) AND who LIKE 'staff:%' "
                  "AND at > :t",
        soci::use(number), soci::use(added), soci::use(reset), soci::use(since), soci::into(found);
    return found != 0;
}

std::optional<staff_account> find_staff(office& o, const std::string& number) {
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT number, name, role, cabinets, active FROM staff WHERE number = :n",
         soci::use(number));
    for (const auto& r : rows) {
        return account_of(o, r);
    }
    return std::nullopt;
}

std::vector<staff_account> all_staff(office& o) {
    std::vector<staff_account> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT number, name, role, cabinets, active FROM staff ORDER BY number");
    for (const auto& r : rows) {
        out.push_back(account_of(o, r));
    }
    return out;
}

std::string password_hash_of(office& o, const std::string& number) {
    std::string hash;
    o.db.sql() << "SELECT password FROM staff WHERE number = :n AND active = 1", soci::use(number), soci::into(hash);
    return o.db.sql().got_data() ? hash : "scrypt$AAAAAAAAAAAAAAAAAAAAAA$none";
}

bool check_totp(office& o, const std::string& number, const std::string& code) {
    std::string sealed;
    long long last = 0;
    o.db.sql() << "SELECT totp, totp_step FROM staff WHERE number = :n AND active = 1", soci::use(number),
        soci::into(sealed), soci::into(last);
    const auto hex = o.db.sql().got_data() ? o.safe.open("totp", sealed) : std::nullopt;
    const auto key = hex ? from_hex(*hex) : std::nullopt;
    if (!key) {
        return false;
    }
    const long long step = o.now() / 1000 / totp_period_s;
    for (long long s = step - 1; s <= step + 1; ++s) {
        if (s > last && same_secret(fmt::format("{:06}", totp6(*key, s)), code)) {
            o.db.sql() << "UPDATE staff SET totp_step = :s WHERE number = :n", soci::use(s), soci::use(number);
            return true;
        }
    }
    return false;
}

bool may_work_at(const staff_account& who, const std::string& cabinet) {
    return who.active && std::any_of(who.cabinets.begin(), who.cabinets.end(),
                                     [&](const auto& id) { return id == every_cabinet || id == cabinet; });
}

std::optional<roster> roster_to_send(office& o, const std::string& cabinet) {
    boost::json::array out;
    for (const auto& who : all_staff(o)) {
        if (may_work_at(who, cabinet)) {
            boost::json::array permits{"collect_intake", "deposit_return", "settle", "reclaim_overdue", "move"};
            if (who.role == "admin") {
                permits.emplace_back("maintain");
            }
            out.push_back(
                boost::json::object{{"number", who.number}, {"sub", "g-" + who.number}, {"permits", permits}});
        }
    }
    std::string told;
    long long version = 0;
    o.db.sql() << "SELECT roster, roster_digest FROM cabinets WHERE id = :i AND removed_at = 0", soci::use(cabinet),
        soci::into(version), soci::into(told);
    const auto digest = to_hex(sha256(bytes_of(boost::json::serialize(out))));
    if (!o.db.sql().got_data() || digest == told || (out.empty() && told.empty())) {
        return std::nullopt;
    }
    return roster{std::max<std::int64_t>(version + 1, o.now() / 1000), std::move(out), digest};
}

void roster_taken(office& o, const std::string& cabinet, const roster& what) {
    const long long version = what.version;
    o.db.sql() << "UPDATE cabinets SET roster = :v, roster_digest = :d WHERE id = :i", soci::use(version),
        soci::use(what.digest), soci::use(cabinet);
}

}  // namespace locker::portal
