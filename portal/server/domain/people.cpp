#include "portal/server/domain/people.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "portal/server/domain/deposits.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

constexpr std::int64_t code_lives = 5 * minute;
constexpr int code_tries = 5;
constexpr std::int64_t between_codes = minute;
constexpr int codes_an_hour = 5;

const problem wrong_code{403, "wrong_code",
                         "验证码不对或已过期，请重新获取。 That code is wrong or too old; ask for a new one."};

std::string code_value(const office& o, const std::string& index, const std::string& code) {
    return o.safe.index("sign-in", index + "/" + code);
}

}  // namespace

std::optional<std::string> phone_number(std::string_view text) {
    std::string digits;
    bool international = false;
    for (const char c : text) {
        if (c == '+' && digits.empty() && !international) {
            international = true;
        } else if (c >= '0' && c <= '9') {
            digits += c;
        } else if (c != ' ' && c != '-') {
            return std::nullopt;
        }
    }
    const auto mainland = [](std::string_view d) { return d.size() == 11 && d[0] == '1' && d[1] >= '3'; };
    if (!international && mainland(digits)) {
        return "+86" + digits;
    }
    if (!international && digits.starts_with("00") && digits.size() > 8) {  // as it is dialled from abroad
        international = true;
        digits.erase(0, 2);
    }
    if (!international && digits.size() == 13 && digits.starts_with("86") &&
        mainland(std::string_view(digits).substr(2))) {
        return "+" + digits;
    }
    // E.164: at most fifteen digits with the country's.
    const bool fits = international && digits.size() >= 8 && digits.size() <= 15 && digits[0] != '0' &&
                      (!digits.starts_with("86") || mainland(std::string_view(digits).substr(2)));
    return fits ? std::optional("+" + digits) : std::nullopt;
}

bool is_served(const rules& by, std::string_view phone) {
    return std::any_of(by.country_codes.begin(), by.country_codes.end(),
                       [&](const auto& code) { return phone.starts_with("+" + code); });
}

std::string masked(std::string_view phone) {
    std::string out(phone.starts_with("+86") ? phone.substr(3) : phone);
    const std::size_t from = out.size() > 8 ? 3 : 1;
    for (std::size_t i = from; i + 4 < out.size(); ++i) {
        out[i] = '*';
    }
    return out;
}

result<std::string> issue_sign_in_code(office& o, const std::string& phone) {
    const std::string index = o.safe.index("phone", phone);
    const long long now = o.now();
    int sent = 0;
    long long first_at = 0;
    long long sent_at = 0;
    o.db.sql() << "SELECT sent, first_at, sent_at FROM one_time_codes WHERE phone_index = :i", soci::use(index),
        soci::into(sent), soci::into(first_at), soci::into(sent_at);
    const bool known = o.db.sql().got_data();
    const bool new_hour = !known || now >= first_at + hour || now < first_at;
    if (known && ((now < sent_at + between_codes && now >= sent_at) || (!new_hour && sent >= codes_an_hour))) {
        return problem{429, "too_many",
                       "验证码发送太频繁，请稍后再试。 Too many codes were asked for; try again in a while."};
    }
    sent = new_hour ? 1 : sent + 1;
    first_at = new_hour ? now : first_at;
    auto code = o.safe.digits(6);
    const std::string value = code_value(o, index, code);
    o.db.sql() << "DELETE FROM one_time_codes WHERE phone_index = :i", soci::use(index);
    o.db.sql()
        << "INSERT INTO one_time_codes (phone_index, code, tries, sent, first_at, sent_at) VALUES (:i, :c, 0, :s, "
           ":f, :n)",
        soci::use(index), soci::use(value), soci::use(sent), soci::use(first_at), soci::use(now);
    return code;
}

result<std::string> check_sign_in_code(office& o, const std::string& phone, const std::string& code) {
    const std::string index = o.safe.index("phone", phone);
    const long long now = o.now();
    std::string value;
    int tries = 0;
    long long sent_at = 0;
    o.db.sql() << "SELECT code, tries, sent_at FROM one_time_codes WHERE phone_index = :i", soci::use(index),
        soci::into(value), soci::into(tries), soci::into(sent_at);
    if (!o.db.sql().got_data() || value.empty() || tries >= code_tries || now >= sent_at + code_lives ||
        now < sent_at) {
        return wrong_code;
    }
    if (!same_secret(value, code_value(o, index, code))) {
        o.db.sql() << "UPDATE one_time_codes SET tries = tries + 1 WHERE phone_index = :i", soci::use(index);
        return wrong_code;
    }
    o.db.sql() << "UPDATE one_time_codes SET code = '' WHERE phone_index = :i", soci::use(index);
    return person_of(o, phone);
}

std::string person_of(office& o, const std::string& phone) {
    const std::string index = o.safe.index("phone", phone);
    const long long now = o.now();
    std::string id;
    o.db.sql() << "SELECT id FROM people WHERE phone_index = :i", soci::use(index), soci::into(id);
    if (o.db.sql().got_data()) {
        o.db.sql() << "UPDATE people SET seen_at = :n WHERE id = :p", soci::use(now), soci::use(id);
        return id;
    }
    id = "p-" + o.safe.token(12);
    const std::string sealed = o.safe.seal("phone", phone);
    o.db.sql() << "INSERT INTO people (id, phone_index, phone, created_at, seen_at) VALUES (:p, :i, :s, :n, :n2)",
        soci::use(id), soci::use(index), soci::use(sealed), soci::use(now), soci::use(now);
    return id;
}

std::optional<std::string> phone_of(office& o, const std::string& person) {
    std::string sealed;
    o.db.sql() << "SELECT phone FROM people WHERE id = :p", soci::use(person), soci::into(sealed);
    return o.db.sql().got_data() ? o.safe.open("phone", sealed) : std::nullopt;
}

boost::json::object export_of(office& o, const std::string& person) {
    using boost::json::array;
    using boost::json::object;
    object out{{"person", person}, {"phone", phone_of(o, person).value_or("")}};
    array cases;
    const soci::rowset<soci::row> found =
        (o.db.sql().prepare
             << "SELECT id, cabinet, title, state, note, created_at, changed_at, person, papers FROM cases WHERE "
                "person = :p OR delegate = :d ORDER BY created_at",
         soci::use(person), soci::use(person));
    for (const auto& r : found) {
        array log;
        const auto id = r.get<std::string>(0);
        const bool own = r.get<std::string>(7) == person;
        const soci::rowset<soci::row> rows =
            (o.db.sql().prepare << "SELECT at, what, note FROM case_log WHERE case_id = :c ORDER BY n", soci::use(id));
        for (const auto& l : rows) {
            object entry{{"at", format_time(l.get<long long>(0))}, {"what", l.get<std::string>(1)}};
            if (own) {
                entry["note"] = l.get<std::string>(2);
            }
            log.push_back(std::move(entry));
        }
        cases.push_back(object{{"id", id},
                               {"cabinet", r.get<std::string>(1)},
                               {"service", boost::json::parse(r.get<std::string>(2))},
                               {"state", r.get<std::string>(3)},
                               {"papers", own ? boost::json::parse(r.get<std::string>(8)) : array{}},
                               {"note", own ? r.get<std::string>(4) : ""},
                               {"created", format_time(r.get<long long>(5))},
                               {"changed", format_time(r.get<long long>(6))},
                               {"for_another", !own},
                               {"history", log}});
    }
    out["cases"] = cases;
    array notices;
    const auto opened = [&o](const std::string& sealed) {
        const auto text = o.safe.open("notice", sealed);
        return text ? boost::json::parse(*text).as_object() : object{};
    };
    const soci::rowset<soci::row> told =
        (o.db.sql().prepare
             << "SELECT template, channel, state, created_at, content FROM notices WHERE recipient = :p ORDER BY id",
         soci::use(person));
    for (const auto& r : told) {
        notices.push_back(
            object{{"template", r.get<std::string>(0)},
                   {"channel", r.get<std::string>(1)},
                   {"state", r.get<std::string>(2)},
                   {"at", format_time(r.get<long long>(3))},
                   {"about", r.get<std::string>(0) == "sign_in" ? object{} : opened(r.get<std::string>(4))}});
    }
    out["notices"] = notices;
    array looked;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT at, who, what FROM audit WHERE whom = :p ORDER BY n", soci::use(person));
    for (const auto& r : rows) {
        looked.push_back(object{
            {"at", format_time(r.get<long long>(0))}, {"who", r.get<std::string>(1)}, {"what", r.get<std::string>(2)}});
    }
    out["access"] = looked;
    return out;
}

void erase_person(office& o, const std::string& person) {
    auto& sql = o.db.sql();
    sql << "UPDATE case_log SET note = '' WHERE case_id IN (SELECT id FROM cases WHERE person = :p)", soci::use(person);
    sql << "UPDATE cases SET person = '', note = '' WHERE person = :p", soci::use(person);
    sql << "UPDATE cases SET delegate = '' WHERE delegate = :p", soci::use(person);
    sql << "DELETE FROM notices WHERE recipient = :p", soci::use(person);
    sql << "DELETE FROM sessions WHERE subject = :p AND role = 'resident'", soci::use(person);
    sql << "DELETE FROM one_time_codes WHERE phone_index = (SELECT phone_index FROM people WHERE id = :p)",
        soci::use(person);
    sql << "DELETE FROM people WHERE id = :p", soci::use(person);
}

result<void> forget(office& o, const std::string& person) {
    int live = 0;
    o.db.sql() << "SELECT COUNT(*) FROM cases WHERE person = :p AND state NOT IN ('done', 'cancelled')",
        soci::use(person), soci::into(live);
    int lying = 0;  // of a case that was given up, too
    o.db.sql() << "SELECT COUNT(*) FROM cases k JOIN deposits d ON d.case_id = k.id WHERE k.person = :p AND d.state IN "
                  "('reserved', 'deposited', 'confirmed')",
        soci::use(person), soci::into(lying);
    if (live + lying > 0) {
        return problem{
            409, "wrong_state",
            "还有未办结的事项，办结后才能删除。 A case is still going on; what is kept can be deleted when it has "
            "ended."};
    }
    std::vector<std::string> errands(500);  // others' papers that they might have collected: what they were shown ends
    o.db.sql() << "SELECT deposit FROM cases WHERE delegate = :p", soci::use(person), soci::into(errands);
    for (const auto& deposit : errands) {
        if (auto d = find_deposit(o, deposit)) {
            (void)end_codes(o, *d);
        }
    }
    erase_person(o, person);
    audit(o, person, "forgotten", "");
    return {};
}

}  // namespace locker::portal
