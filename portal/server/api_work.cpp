// What grid workers ask for: the worklist, take, review, ask, return, hand over the counter, staff code.
#include <fmt/format.h>

#include <boost/asio/use_awaitable.hpp>

#include "portal/server/api_views.hpp"
#include "portal/server/app.hpp"
#include "portal/server/domain/cases.hpp"
#include "portal/server/domain/people.hpp"
#include "portal/server/qr.hpp"
#include "protocol/code.hpp"
#include "protocol/staff.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::asio::awaitable;
using boost::json::array;
using boost::json::object;

constexpr bucket_rule sign_ins_of_number{10, 6 * minute};  // from one address
constexpr bucket_rule sign_ins_from_anywhere{60, minute};  // a stranger does not lock a colleague out so soon
constexpr bucket_rule sign_ins_of_address{40, minute};
constexpr std::size_t listed_most = 200;  // of the worklist; the oldest come first

const problem no_case{404, "unknown_case", "没有此事项。 There is no such case."};
const problem wrong_sign_in{403, "wrong_code", "工号、密码或动态码不对。 Number, password or code is wrong."};

std::optional<case_record> case_of(app& a, const call& c) {
    auto found = find_case(a.desk, c.parts.at(0));
    return found && may_work_at(c.staff, found->cabinet) ? found : std::nullopt;
}

// What staff see beside what a resident does.
void add_for_staff(app& a, object& view, const work_item& item) {
    view["phone"] = item.phone.empty() ? "" : masked(item.phone);
    view["unconfirmed"] = item.deposit && item.deposit->state == "deposited" &&
                          a.desk.now() - item.record.changed_ms > a.desk.by.unconfirmed_ms;
}

object view(app& a, const case_record& c) {
    auto out = case_view(a, c);
    add_for_staff(a, out, {c, find_deposit(a.desk, c.deposit), phone_of(a.desk, c.person).value_or("")});
    return out;
}

awaitable<http_response> sign_in(app& a, call& c) {
    const auto number = c.text("number");
    const auto now = a.desk.now();
    if (!is_staff_number(number) || c.text("password").size() > 200) {
        co_return refused(wrong_sign_in);
    }
    const auto mine = "staff/" + number + "/" + c.request.address;
    if (!a.limits.take(mine, sign_ins_of_number, now) ||
        !a.limits.take("staff/" + number, sign_ins_from_anywhere, now) ||
        !a.limits.take("staff-address/" + c.request.address, sign_ins_of_address, now)) {
        co_return refused({429, "too_many", "尝试次数太多，请稍后再试。 Too many tries; wait a while."});
    }
    const auto hash = password_hash_of(a.desk, number);
    const auto password = c.text("password");
    auto check = [hash, password] { return vault::check_password(password, hash); };
    const bool right = co_await a.off_thread(a.passwords, std::move(check));
    transaction t(a.db.sql());
    if (!right || !check_totp(a.desk, number, c.text("totp"))) {
        audit(a.desk, "staff:" + number.substr(0, 6), "sign-in refused", "");
        t.commit();
        co_return refused(wrong_sign_in);
    }
    a.limits.give_back(mine, sign_ins_of_number);
    const auto s = a.routes.begin_session("staff", number);
    audit(a.desk, "staff:" + number, "signed in", "");
    t.commit();
    auto answer = ok(object{{"csrf", s.csrf}});
    answer.headers.emplace_back("Set-Cookie", s.cookie);
    co_return answer;
}

awaitable<http_response> sign_out(app& a, call& c) {
    a.routes.end_session(c.request, "staff");
    auto answer = ok(object{{"signed_in", false}});
    answer.headers.emplace_back("Set-Cookie", a.routes.ended_cookie("staff"));
    co_return answer;
}

awaitable<http_response> me(app& a, call& c) {
    const auto session = a.routes.find_session(c.request, "staff");
    const auto who = session ? find_staff(a.desk, session->subject) : std::nullopt;
    if (!who || !who->active) {
        co_return ok(object{{"signed_in", false}});
    }
    array cabinets;
    for (const auto& one : all_cabinets(a.desk)) {
        if (may_work_at(*who, one.id)) {
            cabinets.push_back(object{{"id", one.id}, {"name", one.name}, {"online", a.link.now_of(one.id).online}});
        }
    }
    co_return ok(object{{"signed_in", true},
                        {"csrf", session->csrf},
                        {"number", who->number},
                        {"name", who->name},
                        {"role", who->role},
                        {"cabinets", std::move(cabinets)}});
}

// Compartments that somebody should look at: suspected, jammed, forced.
array troubles(app& a, const staff_account& who) {
    array out;
    for (const auto& cabinet : all_cabinets(a.desk)) {
        if (!may_work_at(who, cabinet.id)) {
            continue;
        }
        const auto& now = a.link.now_of(cabinet.id);
        if (!now.online) {
            out.push_back(object{{"cabinet", cabinet.id}, {"place", cabinet.name}, {"kind", "offline"}});
        }
        for (const auto& [kind, alarm] : now.alarms) {
            out.push_back(object{{"cabinet", cabinet.id},
                                 {"place", cabinet.name},
                                 {"kind", kind},
                                 {"meaning", alarm.contains("meaning") ? alarm.at("meaning") : ""},
                                 {"action", alarm.contains("action") ? alarm.at("action") : ""}});
        }
    }
    return out;
}

awaitable<http_response> work(app& a, call& c) {
    const auto at = c.request.query.find("cabinet");
    std::map<std::string, cabinet_record> cabinets;
    for (auto& one : all_cabinets(a.desk)) {
        cabinets.emplace(one.id, one);
    }
    audit_once(a.desk, c.who(), "worklist looked at", "", 15 * minute);
    const auto work = worklist(a.desk, c.staff, at == c.request.query.end() ? "" : at->second, listed_most);
    array list;
    for (const auto& item : work.items) {
        const auto where = cabinets.find(item.record.cabinet);
        auto v = listed_view(a, item.record, item.deposit,
                             where == cabinets.end() ? std::nullopt : std::optional(where->second));
        add_for_staff(a, v, item);
        list.push_back(std::move(v));
    }
    co_return ok(object{{"cases", std::move(list)}, {"more", work.more}, {"troubles", troubles(a, c.staff)}});
}

awaitable<http_response> one_case(app& a, call& c) {
    const auto found = case_of(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    audit_once(a.desk, c.who(), "case looked at", found->person, 15 * minute);
    co_return ok(view(a, *found));
}

// A deed of staff: decided and committed, or refused.
awaitable<http_response> deed(app& a, call& c, std::function<result<void>(case_record&)> what) {
    auto found = case_of(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    transaction t(a.db.sql());
    const auto done = what(*found);
    if (!done) {
        co_return refused(done.error());
    }
    t.commit();
    co_return ok(view(a, *found));
}

awaitable<http_response> open(app& a, call& c) {
    auto found = case_of(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    co_return co_await open_door(a, *found, c);
}

awaitable<http_response> slip(app& a, call& c) {
    auto found = case_of(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    co_return slip_for(a, *found, c);
}

awaitable<http_response> review(app& a, call& c) {
    return deed(a, c, [&a, &c](case_record& k) { return locker::portal::review(a.desk, k, c.who(), c.text("note")); });
}

awaitable<http_response> ask(app& a, call& c) {
    return deed(a, c, [&a, &c](case_record& k) {
        return ask_for_papers(a.desk, k, c.who(), c.texts("papers"), c.text("note"));
    });
}

awaitable<http_response> counter(app& a, call& c) {
    return deed(a, c, [&a, &c](case_record& k) { return to_the_counter(a.desk, k, c.who(), c.text("note")); });
}

awaitable<http_response> hand_over(app& a, call& c) {
    return deed(a, c, [&a, &c](case_record& k) { return handed_over(a.desk, k, c.who()); });
}

awaitable<http_response> confirm(app& a, call& c) {
    const std::function<result<void>(case_record&)> what = [&a, &c](case_record& k) {
        return want_confirmed(a.desk, k, c.who());
    };
    auto answer = co_await deed(a, c, what);
    if (const auto found = case_of(a, c); answer.status == 200 && found) {
        a.link.confirm_when_possible(found->deposit);
    }
    co_return answer;
}

// What is typed at the keypad of this cabinet now, and the QR code that signs in while its clock is not trusted.
awaitable<http_response> staff_code(app& a, call& c) {
    const auto cabinet = c.text("cabinet");
    if (!find_cabinet(a.desk, cabinet) || !may_work_at(c.staff, cabinet)) {
        co_return refused({404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."});
    }
    const auto key = locker::staff_key(key_of(a.desk, cabinet), c.staff.number);
    const std::int64_t now_s = a.desk.now() / 1000;
    const auto totp = totp6(key, now_s / totp_period_s);
    const auto token = sign(a.desk, {cabinet, "staff", "", slip_life_s, {{"sub", "g-" + c.staff.number}}});
    audit(a.desk, c.who(), "staff code shown", cabinet);
    co_return ok(object{{"number", c.staff.number},
                        {"code", fmt::format("{:06}", totp)},
                        {"seconds", totp_period_s - now_s % totp_period_s},
                        {"qr", qr_svg(token)}});
}

awaitable<http_response> live(app& a, call& c) {
    std::set<std::string> subjects{"work", "link", "inbox/staff:" + c.staff.number};
    for (const auto& one : all_cabinets(a.desk)) {
        if (may_work_at(c.staff, one.id)) {
            subjects.insert("cabinet/" + one.id);
        }
    }
    co_return event_stream(a, c.who(), std::move(subjects));
}

awaitable<http_response> inbox(app& a, call& c) {
    co_return ok(inbox_view(a, c.who()));
}

}  // namespace

void add_work_api(app& a) {
    const auto on = [&a](std::string_view method, std::string_view path, access who,
                         awaitable<http_response> (*what)(app&, call&)) {
        a.routes.on(method, path, who, [&a, what](call& c) { return what(a, c); });
    };
    using enum access;
    on("POST", "/api/staff/sign-in", anyone, sign_in);
    on("POST", "/api/staff/sign-out", anyone, sign_out);
    on("GET", "/api/staff/me", anyone, me);
    on("GET", "/api/work", staff, work);
    on("GET", "/api/work/live", staff, live);
    on("GET", "/api/work/inbox", staff, inbox);
    on("POST", "/api/work/staff-code", staff, staff_code);
    on("GET", "/api/work/{id}", staff, one_case);
    on("POST", "/api/work/{id}/open", staff, open);
    on("POST", "/api/work/{id}/slip", staff, slip);
    on("POST", "/api/work/{id}/confirm", staff, confirm);
    on("POST", "/api/work/{id}/review", staff, review);
    on("POST", "/api/work/{id}/ask", staff, ask);
    on("POST", "/api/work/{id}/counter", staff, counter);
    on("POST", "/api/work/{id}/hand-over", staff, hand_over);
}

}  // namespace locker::portal
