// What a resident's phone asks for: from the sticker's QR code to papers in hand. portal/openapi.yaml is the contract.
#include <fmt/format.h>

#include <boost/asio/use_awaitable.hpp>

#include "portal/server/api_views.hpp"
#include "portal/server/app.hpp"
#include "portal/server/domain/cases.hpp"
#include "portal/server/domain/notices.hpp"
#include "portal/server/domain/people.hpp"
#include "portal/server/qr.hpp"
#include "protocol/limits.hpp"

namespace locker::portal {
namespace {

using boost::asio::awaitable;
using boost::json::array;
using boost::json::object;

constexpr int tries_a_code = 3;  // sign-ins of an address, for each code that it may have
constexpr bucket_rule doors_of_person{10, 30 * second};
constexpr bucket_rule doors_of_cabinet{30, 2 * second};
constexpr bucket_rule delegates_of_person{5, 10 * minute};
constexpr bucket_rule new_codes_of_person{10, 5 * minute};

const problem no_case{404, "unknown_case", "没有此事项。 There is no such case of yours."};
const problem too_often{429, "too_many", "操作太频繁，请稍后再试。 Too often; try again in a while."};

// A case that this person may see; nothing: to them there is none.
std::optional<case_record> own_case(app& a, const call& c) {
    auto found = find_case(a.desk, c.parts.at(0));
    return found && may_collect(*found, c.person) ? found : std::nullopt;
}

awaitable<http_response> cabinet(app& a, call& c) {
    const auto known = find_cabinet(a.desk, c.parts.at(0));
    if (!known) {
        co_return refused(
            {404, "unknown_cabinet", "没有此柜子，请重新扫码。 There is no such cabinet; scan its code again."});
    }
    array list;
    for (const auto& s : a.catalogue().list) {
        list.push_back(shown(s));
    }
    auto out = cabinet_view(a, *known);
    out["services"] = std::move(list);
    out["catalogue"] = a.catalogue().version;
    co_return ok(out);
}

// Of the body's member `phone`. Errors: malformed.
result<std::string> phone_in(app& a, const call& c) {
    const auto phone = phone_number(c.text("phone"));
    if (!phone) {
        return problem{400, "malformed", "请输入正确的手机号。 That is no phone number."};
    }
    if (!is_served(a.desk.by, *phone)) {
        return problem{400, "malformed", "暂不支持该国家或地区的号码。 Numbers of that country are not served here."};
    }
    return *phone;
}

// ---- signing in

awaitable<http_response> send_code(app& a, call& c) {
    const auto phone = phone_in(a, c);
    if (!phone) {
        co_return refused(phone.error());
    }
    const int most = a.desk.by.codes_of_address;
    if (!a.limits.take("code/" + c.request.address, {most, hour / most}, a.desk.now())) {
        co_return refused(too_often);
    }
    transaction t(a.db.sql());
    const auto code = issue_sign_in_code(a.desk, *phone);
    if (!code) {
        co_return refused(code.error());
    }
    const auto person = person_of(a.desk, *phone);
    auto channels = a.desk.by.resident_channels;
    std::erase_if(channels, [&a](const auto& name) { return name == "inbox" && !a.settings.trial; });
    tell(a.desk, {"sign-in/" + a.safe.token(9), person, channels, "sign_in", {{"code", *code}}, true});
    t.commit();
    co_return ok(object{{"sent", true}, {"to", masked(*phone)}});
}

awaitable<http_response> sign_in(app& a, call& c) {
    const auto phone = phone_in(a, c);
    if (!phone) {
        co_return refused(phone.error());
    }
    const int most = a.desk.by.codes_of_address * tries_a_code;
    if (!a.limits.take("sign-in/" + c.request.address, {most, hour / most}, a.desk.now())) {
        co_return refused(too_often);
    }
    transaction t(a.db.sql());
    const auto person = check_sign_in_code(a.desk, *phone, c.text("code"));
    if (!person) {
        t.commit();  // the try counts
        co_return refused(person.error());
    }
    const auto s = a.routes.begin_session("resident", *person);
    t.commit();
    auto answer = ok(object{{"csrf", s.csrf}, {"phone", masked(*phone)}});
    answer.headers.emplace_back("Set-Cookie", s.cookie);
    co_return answer;
}

awaitable<http_response> me(app& a, call& c) {
    const auto session = a.routes.find_session(c.request, "resident");
    const auto phone = session ? phone_of(a.desk, session->subject) : std::nullopt;
    if (!phone) {
        co_return ok(object{{"signed_in", false}});
    }
    co_return ok(object{{"signed_in", true}, {"csrf", session->csrf}, {"phone", masked(*phone)}});
}

awaitable<http_response> sign_out(app& a, call& c) {
    a.routes.end_session(c.request, "resident");
    auto answer = ok(object{{"signed_in", false}});
    answer.headers.emplace_back("Set-Cookie", a.routes.ended_cookie("resident"));
    co_return answer;
}

// ---- cases

awaitable<http_response> cases(app& a, call& c) {
    array out;
    for (const auto& one : cases_of(a.desk, c.person)) {
        auto v = case_view(a, one, c.person);
        v.erase("history");
        out.push_back(std::move(v));
    }
    co_return ok(object{{"cases", std::move(out)}});
}

awaitable<http_response> begin(app& a, call& c) {
    const auto known = find_cabinet(a.desk, c.text("cabinet"));
    const auto& now = a.catalogue();
    const auto* what = find(now.list, c.text("service"));
    if (!known || what == nullptr) {
        co_return refused({404, known ? "unknown_service" : "unknown_cabinet",
                           "没有此项，请重新扫码。 There is no such thing; scan the cabinet's code again."});
    }
    transaction t(a.db.sql());
    const auto made = begin_case(a.desk, c.person, known->id, *what, now.version);
    if (!made) {
        co_return refused(made.error());
    }
    t.commit();
    co_return ok(case_view(a, *made, c.person), 201);
}

awaitable<http_response> one_case(app& a, call& c) {
    const auto found = own_case(a, c);
    co_return found ? ok(case_view(a, *found, c.person)) : refused(no_case);
}

awaitable<http_response> open(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    if (!c.flag("at_door")) {
        co_return refused({400, "not_at_door", "请站在柜前再开门。 Stand before the cabinet, then open."});
    }
    if (!a.limits.take("door/" + c.person, doors_of_person, a.desk.now()) ||
        !a.limits.take("doors/" + found->cabinet, doors_of_cabinet, a.desk.now())) {
        co_return refused(too_often);
    }
    co_return co_await open_door(a, *found, c);
}

awaitable<http_response> slip(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    if (!a.limits.take("door/" + c.person, doors_of_person, a.desk.now())) {
        co_return refused(too_often);
    }
    co_return slip_for(a, *found, c);
}

awaitable<http_response> confirm(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found || !is_owner(*found, c.person)) {
        co_return refused(no_case);
    }
    transaction t(a.db.sql());
    const auto done = want_confirmed(a.desk, *found, c.person);
    if (!done) {
        co_return refused(done.error());
    }
    t.commit();
    a.link.confirm_when_possible(found->deposit);
    co_return ok(case_view(a, *found, c.person));
}

awaitable<http_response> cancel(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found || !is_owner(*found, c.person)) {
        co_return refused(no_case);
    }
    transaction t(a.db.sql());
    const auto done = cancel_case(a.desk, *found, c.person);
    if (!done) {
        co_return refused(done.error());
    }
    t.commit();
    co_return ok(case_view(a, *found, c.person));
}

// The nine digits, and the same as a QR code. Derived when it is shown, stored nowhere.
awaitable<http_response> code(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found) {
        co_return refused(no_case);
    }
    auto d = find_deposit(a.desk, found->deposit);
    if (!d || d->kind != "return") {
        co_return refused({409, "wrong_state", "现在没有可取的资料。 There is nothing to be collected now."});
    }
    if (!a.limits.take("pickup/" + c.person, new_codes_of_person, a.desk.now())) {
        co_return refused(too_often);
    }
    transaction t(a.db.sql());
    const auto digits = show_code(a.desk, *d, c.flag("another"));
    if (!digits) {
        co_return refused(digits.error());
    }
    audit(a.desk, c.person, "pickup code shown", found->person);
    t.commit();
    const bool more = d->latest_issue < d->first_issue + limits::code_window - 1;
    co_return ok(object{{"code", *digits}, {"door", d->compartment}, {"qr", qr_svg(*digits)}, {"more", more}});
}

// Within a transaction; what has been shown before opens nothing once the cabinet has heard of it.
void end_codes_of(app& a, const case_record& c) {
    auto d = find_deposit(a.desk, c.deposit);
    if (d && end_codes(a.desk, *d)) {
        audit(a.desk, c.person, "pickup codes revoked", c.person);
    }
}

// A phone was lost: what it shows and whoever is signed in on it ends. Also while the cabinet is offline: it is told as
// soon as it hears.
awaitable<http_response> revoke(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found || !is_owner(*found, c.person)) {
        co_return refused(no_case);
    }
    transaction t(a.db.sql());
    a.routes.end_other_sessions(c.request, "resident", c.person);
    end_codes_of(a, *found);
    t.commit();
    co_await a.link.revoke(found->deposit);
    const auto d = find_deposit(a.desk, found->deposit);
    co_return ok(object{{"revoked", true}, {"cabinet_told", !d || d->revoke_to == 0}});
}

awaitable<http_response> delegate(app& a, call& c) {
    auto found = own_case(a, c);
    if (!found || !is_owner(*found, c.person)) {
        co_return refused(no_case);
    }
    const auto given = c.text("phone");
    const bool said = c.body.contains("phone") && c.body.at("phone").is_string();  // "": nobody any more
    const auto phone = said && given.empty() ? result<std::string>("") : phone_in(a, c);
    if (!phone) {
        co_return refused(phone.error());
    }
    if (!a.limits.take("delegate/" + c.person, delegates_of_person, a.desk.now())) {
        co_return refused(too_often);
    }
    transaction t(a.db.sql());
    if (!found->delegate.empty()) {  // what they were shown ends with their leave
        end_codes_of(a, *found);
    }
    const auto done = set_delegate(a.desk, *found, *phone);
    if (!done) {
        co_return refused(done.error());
    }
    t.commit();
    co_await a.link.revoke(found->deposit);
    co_return ok(case_view(a, *found, c.person));
}

// ---- what is kept of a person

awaitable<http_response> export_me(app& a, call& c) {
    audit(a.desk, c.person, "data exported", c.person);
    auto r = ok(export_of(a.desk, c.person));
    r.headers.emplace_back("Content-Disposition", "attachment; filename=\"my-data.json\"");
    co_return r;
}

awaitable<http_response> forget_me(app& a, call& c) {
    transaction t(a.db.sql());
    const auto done = forget(a.desk, c.person);
    if (!done) {
        co_return refused(done.error());
    }
    t.commit();
    auto answer = ok(object{{"forgotten", true}});
    answer.headers.emplace_back("Set-Cookie", a.routes.ended_cookie("resident"));
    co_return answer;
}

awaitable<http_response> inbox(app& a, call& c) {
    co_return ok(inbox_view(a, c.person));
}

// Server-sent events: which case has changed, and the doors of its cabinet.
awaitable<http_response> live(app& a, call& c) {
    const auto found = find_case(a.desk, c.parts.at(0));
    if (!found || !may_collect(*found, c.person)) {
        co_return refused(no_case);
    }
    co_return event_stream(a, c.person, {"case/" + found->id, "cabinet/" + found->cabinet, "inbox/" + c.person});
}

// A trial's inbox: what a phone would have received. Never with real people.
awaitable<http_response> trial_inbox(app& a, call& c) {
    const auto at = c.request.query.find("phone");
    const auto phone = at == c.request.query.end() ? std::nullopt : phone_number(at->second);
    if (!a.settings.trial || !phone) {
        co_return refused({404, "unknown", "没有此地址。 There is nothing at this address."});
    }
    co_return ok(inbox_view(a, person_of(a.desk, *phone)));
}

}  // namespace

void add_resident_api(app& a) {
    const auto on = [&a](std::string_view method, std::string_view path, access who,
                         awaitable<http_response> (*what)(app&, call&)) {
        a.routes.on(method, path, who, [&a, what](call& c) { return what(a, c); });
    };
    using enum access;
    on("GET", "/api/cabinets/{id}", anyone, cabinet);
    on("POST", "/api/sign-in/code", anyone, send_code);
    on("POST", "/api/sign-in", anyone, sign_in);
    on("POST", "/api/sign-out", anyone, sign_out);
    on("GET", "/api/me", anyone, me);
    on("GET", "/api/me/export", resident, export_me);
    on("POST", "/api/me/forget", resident, forget_me);
    on("GET", "/api/inbox", resident, inbox);
    on("GET", "/api/cases", resident, cases);
    on("POST", "/api/cases", resident, begin);
    on("GET", "/api/cases/{id}", resident, one_case);
    on("GET", "/api/cases/{id}/live", resident, live);
    on("POST", "/api/cases/{id}/open", resident, open);
    on("POST", "/api/cases/{id}/slip", resident, slip);
    on("POST", "/api/cases/{id}/confirm", resident, confirm);
    on("POST", "/api/cases/{id}/cancel", resident, cancel);
    on("POST", "/api/cases/{id}/code", resident, code);
    on("POST", "/api/cases/{id}/revoke", resident, revoke);
    on("POST", "/api/cases/{id}/delegate", resident, delegate);
    on("GET", "/api/trial/inbox", anyone, trial_inbox);
}

}  // namespace locker::portal
