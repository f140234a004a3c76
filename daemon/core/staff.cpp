#include "daemon/core/staff.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/credentials.hpp"
#include "daemon/core/grants.hpp"
#include "daemon/core/openings.hpp"
#include "daemon/core/timekeeping.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/code.hpp"
#include "protocol/state.hpp"
#include "protocol/timestamp.hpp"

namespace locker::core {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::int64_t idle_end = 5 * minute;
constexpr std::int64_t longest_session = 12 * hour;     // a shift: whoever still works then signs in anew
constexpr int failures_max = 10;                        // in a row, then the number is suspended
constexpr std::int64_t first_suspension = 15 * minute;  // … for so long, doubling
constexpr std::int64_t longest_suspension = 24 * hour;  // … up to this

// What happened to a number, whoever did it.
event_data about_staff(std::string_view number, std::string_view via) {
    event_data data;
    data.staff = std::string(number);
    if (!via.empty()) {
        data.via = std::string(via);
    }
    return data;
}

event_data data_of_staff(std::string_view number, std::string_view via) {
    auto data = about_staff(number, via);
    data.by = "staff:" + std::string(number);
    return data;
}

bool suspended_by_codes(const work& w, std::string_view number) {
    const auto at = w.s.d.staff.find(number);
    return at != w.s.d.staff.end() && at->second.suspended_until > w.age && !sick(canary::suspended_staff_enter);
}

void refuse(work& w, const asker& who, std::string_view via, const refusal& why, std::string_view number = "",
            int door = 0) {
    say_refused(w, why.code, via, door, number);
    w.answer_error(who, why);
}

// The step whose code this is, of either generation of the cabinet key; -1: none. Takes the same time either way.
std::int64_t step_of(const work& w, const staff_code& code) {
    const std::int64_t now = w.wall / 1000 / totp_period_s;
    const std::int64_t around = sick(canary::old_staff_codes_enter) ? 20 : 1;
    std::int64_t found = -1;
    for (const auto& cabinet_key : w.config.cabinet_keys) {
        const auto key = staff_key(cabinet_key, code.number);
        for (std::int64_t step = now - around; step <= now + 1; ++step) {
            if (totp6(key, step) == code.totp) {
                found = step;
            }
        }
    }
    return found;
}

bool use_step(work& w, staff_record& record, std::int64_t step) {
    const bool used_before = std::find(record.steps.begin(), record.steps.end(), step) != record.steps.end();
    if (used_before || step <= record.forgotten) {
        return false;
    }
    const std::int64_t past = w.wall / 1000 / totp_period_s - 1;
    std::erase_if(record.steps, [&](std::int64_t used) {
        const bool over = used < past;
        record.forgotten = over ? std::max(record.forgotten, used) : record.forgotten;
        return over;
    });
    if (!sick(canary::staff_codes_used_twice)) {
        record.steps.push_back(step);
    }
    return true;
}

void count_failure(work& w, std::string_view number, std::string_view via) {
    auto& record = w.s.d.staff[std::string(number)];
    if (++record.failures < failures_max) {
        return;
    }
    const int doublings = std::min(record.suspensions, 7);
    const std::int64_t lasts = std::min(first_suspension << doublings, longest_suspension);
    record.failures = 0;
    ++record.suspensions;
    record.suspended_until = w.age + lasts;
    auto data = about_staff(number, via);
    data.reason = "wrong codes";
    data.until = w.wall + lasts;
    w.say(event_type::credential_suspended, "", data);
}

void begin_session(work& w, std::uint64_t terminal, const staff_member& m, std::string_view via,
                   std::optional<warrant> grant, event_data said) {
    end_session(w, terminal, "another has signed in");
    auto& begun = w.s.l.sessions[terminal];
    begun.number = m.number;
    begun.via = std::string(via);
    begun.began = begun.last = w.now.mono_ms;
    begun.member.staff = m.number;
    begun.member.sub = m.sub;
    begun.grant = std::move(grant);
    said.staff = m.number;
    said.via = std::string(via);
    w.say(event_type::staff_signed_in, "", said);
}

// ---- the worklist

struct worklist {
    std::vector<const deposit*> collect;
    std::vector<const deposit*> unconfirmed;
    std::vector<const deposit*> overdue;
    std::vector<int> suspected;
    std::vector<int> forced;  // a deposit lies there, or lay: to be looked into, one by one
};

worklist list_work(const work& w, const staff_member& m) {
    worklist out;
    for (const auto& [id, d] : w.s.d.deposits) {
        if (!d.live()) {
            continue;
        }
        if (is_unconfirmed(w, d)) {
            const bool mine = d.state == deposit_state::reserved
                                  ? m.may(permit::settle)
                                  : d.kind == deposit_kind::intake && m.may(permit::collect_intake);
            if (mine) {
                out.unconfirmed.push_back(&d);
            }
        } else if (d.state == deposit_state::confirmed && d.kind == deposit_kind::intake &&
                   m.may(permit::collect_intake)) {
            out.collect.push_back(&d);
        }
        if (d.overdue && m.may(permit::reclaim_overdue)) {
            out.overdue.push_back(&d);
        }
    }
    const auto by_door = [](const deposit* a, const deposit* b) { return a->compartment < b->compartment; };
    for (auto* list : {&out.collect, &out.unconfirmed, &out.overdue}) {
        std::sort(list->begin(), list->end(), by_door);
    }
    for (const auto& [n, c] : w.s.d.compartments) {
        if (m.may(permit::settle) && use_of(w.s.d, c) == use_state::suspected) {
            out.suspected.push_back(n);
        } else if (m.may(permit::settle) && !doubt_about(c).empty() && !c.deposit.empty()) {
            out.forced.push_back(n);
        }
    }
    return out;
}

array deposits_json(const std::vector<const deposit*>& list) {
    array out;
    for (const auto* d : list) {
        object o{{"compartment", d->compartment}, {"deposit", d->id}, {"since", format_time(d->since_ms)}};
        if (!d->case_id.empty()) {
            o["case"] = d->case_id;
        }
        out.push_back(std::move(o));
    }
    return out;
}

template <typename List>
std::string doors(const List& list) {
    std::string out;
    for (const auto& item : list) {
        if constexpr (std::is_integral_v<std::decay_t<decltype(item)>>) {
            out += (out.empty() ? "" : ", ") + std::to_string(item);
        } else {
            out += (out.empty() ? "" : ", ") + std::to_string(item->compartment);
        }
    }
    return out;
}

// "待取 3 份：2, 5, 11；… 3 deposits wait: 2, 5, 11; 1 unconfirmed: 7; 1 suspected: 4"
std::string in_words(const work& w, const worklist& work) {
    std::string zh;
    std::string en;
    const auto add = [&](std::size_t count, const std::string& where, std::string_view what_zh,
                         std::string_view what_en) {
        if (count != 0) {
            zh += fmt::format("{}{} {}：{}", zh.empty() ? "" : "；", what_zh, count, where);
            en += fmt::format("{}{} {}: {}", en.empty() ? "" : "; ", count, what_en, where);
        }
    };
    const auto n = work.collect.size();
    add(n, doors(work.collect), "待取", n == 1 ? "deposit waits" : "deposits wait");
    add(work.unconfirmed.size(), doors(work.unconfirmed), "未确认", "unconfirmed");
    add(work.overdue.size(), doors(work.overdue), "超期", "overdue");
    add(work.suspected.size(), doors(work.suspected), "待查", "suspected");
    add(work.forced.size(), doors(work.forced), "存件待查", "in doubt with papers behind it: look by `settle`");
    for (const int door : work.suspected) {
        const auto& why = w.s.d.compartments.at(door).suspicion;
        en += why.empty() ? "" : fmt::format("{} {}: {}", door == work.suspected.front() ? "." : ";", door, why);
    }
    return zh.empty() ? "没有待办。 Nothing waits." : zh + "。 " + en;
}

object worklist_json(const work& w, const staff_member& m) {
    const auto list = list_work(w, m);
    array suspected(list.suspected.begin(), list.suspected.end());
    array forced(list.forced.begin(), list.forced.end());
    return {{"collect", deposits_json(list.collect)},
            {"unconfirmed", deposits_json(list.unconfirmed)},
            {"overdue", deposits_json(list.overdue)},
            {"suspected", std::move(suspected)},
            {"forced", std::move(forced)},
            {"message", in_words(w, list)}};
}

object session_json(const work& w, const staff_member& m) {
    array list;
    for (const auto p : m.permits) {
        list.push_back(boost::json::string(name(p)));
    }
    return {{"staff", m.number}, {"permits", std::move(list)}, {"worklist", worklist_json(w, m)}};
}

// ---- deeds

refusal lacks(permit p) {
    return {error_code::not_permitted, fmt::format("the role lacks {}", name(p))};
}

refusal two_wanted(std::string_view act) {
    return {error_code::not_permitted, fmt::format("two persons are wanted here: show two {} grants", act),
            sentence{"此柜门须两人同时授权，请各出示一个凭证。", "Two persons are wanted here: each shows a grant."}};
}

// For people who know the work: what was asked for cannot be done, and the detail says why.
refusal not_now(std::string detail) {
    return {error_code::wrong_state, std::move(detail),
            sentence{"现在不能进行此操作，请先查看待办。", "This cannot be done now. Look at the worklist."}};
}

// What opening a door means, by what lies there and what the role permits.
struct door_deed {
    work& w;
    const staff_member& m;
    authority a;

    std::optional<refusal> open_plain(permit wanted) {
        a.what = purpose::open;
        if (!m.may(wanted) && !m.may(permit::open_any)) {
            return lacks(wanted);
        }
        const auto& c = w.at(a.compartment);
        const bool vacant = c.deposit.empty() && c.suspicion.empty();
        const auto pairs = w.config.rules.pairs;
        if (pairs == two_persons::always || (pairs == two_persons::occupied && !vacant)) {
            return two_wanted("open");
        }
        return std::nullopt;
    }

    // A reason makes it maintenance: whatever lies there stays.
    std::optional<refusal> open(bool maintenance = false) {
        const auto& c = w.at(a.compartment);
        const auto* d = w.find_deposit(c.deposit);
        if (d != nullptr && maintenance) {
            return open_plain(permit::open_any);
        }
        if (d != nullptr) {
            if (d->retrievable() && d->kind == deposit_kind::intake && m.may(permit::collect_intake)) {
                a.what = purpose::collect;
                a.deposit = d->id;
                return std::nullopt;
            }
            const bool intake = d->retrievable() && d->kind == deposit_kind::intake;
            return open_plain(intake ? permit::collect_intake : permit::open_any);
        }
        if (!c.suspicion.empty() && m.may(permit::settle)) {
            return settle();
        }
        return open_plain(c.suspicion.empty() ? permit::maintain : permit::settle);
    }

    std::optional<refusal> open_by_number() { return open(); }

    std::optional<refusal> settle() {
        a.what = purpose::settle;
        if (!m.may(permit::settle)) {
            return lacks(permit::settle);
        }
        const auto& c = w.at(a.compartment);
        const auto* d = w.find_deposit(c.deposit);
        // Else who may move and settle would open whatever door alone.
        if (w.config.rules.pairs != two_persons::never && c.suspicion == moved_away) {
            return two_wanted("settle");
        }
        if (d != nullptr && d->state == deposit_state::reserved && is_unconfirmed(w, *d)) {
            a.deposit = d->id;
            return std::nullopt;
        }
        if (d != nullptr && !doubt_about(c).empty()) {
            a.look = true;  // the deposit stays its owner's; `reclaim` ends it
            return open_plain(permit::settle);
        }
        if (use_of(w.s.d, c) != use_state::suspected) {
            return not_now(fmt::format("door {} is not suspected", a.compartment));
        }
        return std::nullopt;
    }

    std::optional<refusal> reclaim() {
        a.what = purpose::settle;
        if (!m.may(permit::reclaim_overdue)) {
            return lacks(permit::reclaim_overdue);
        }
        const auto* d = w.find_deposit(w.at(a.compartment).deposit);
        const bool doubted = d != nullptr && !w.at(a.compartment).suspicion.empty();
        if (d == nullptr || (!d->overdue && !doubted)) {
            return not_now(fmt::format("nothing behind door {} is overdue, or in doubt", a.compartment));
        }
        if (!d->overdue && w.config.rules.pairs != two_persons::never) {
            return two_wanted("settle");
        }
        a.deposit = d->id;
        return std::nullopt;
    }

    std::optional<refusal> put_back(const staff_deed& deed) {
        a.what = purpose::deposit;
        if (!m.may(permit::deposit_return)) {
            return lacks(permit::deposit_return);
        }
        const auto* known = w.find_deposit(deed.deposit);
        if (known != nullptr && known->kind != deposit_kind::return_to_resident) {
            return not_now("that deposit is a resident's");
        }
        const auto size = box_size_from(deed.size).value_or(box_size::small);
        const auto place =
            place_for(w, {deed.deposit, deposit_kind::return_to_resident, deed.case_id, size, false, 0, a.by});
        if (!place) {
            return place.error();
        }
        a.deposit = deed.deposit;
        a.compartment = *place;
        return std::nullopt;
    }

    // The first door of the worklist that nobody is at and that one person may open.
    std::optional<refusal> next() {
        const auto list = list_work(w, m);
        const authority asked = a;
        std::optional<refusal> first;
        int refused = 0;
        const auto may_be = [&](int n, auto deed) {
            if (in_use(w, n)) {
                return false;
            }
            a = asked;
            a.compartment = n;
            auto why = (this->*deed)();
            why = why ? why : hindrance(w, n);
            if (why && !first) {
                first = why;
                refused = n;
            }
            return !why;
        };
        for (const auto* deposits : {&list.collect, &list.unconfirmed}) {
            for (const auto* d : *deposits) {
                if (d->retrievable() && may_be(d->compartment, &door_deed::open_by_number)) {
                    return std::nullopt;
                }
            }
        }
        for (const int n : list.suspected) {
            if (may_be(n, &door_deed::settle)) {
                return std::nullopt;
            }
        }
        for (const auto* d : list.overdue) {
            if (may_be(d->compartment, &door_deed::reclaim)) {
                return std::nullopt;
            }
        }
        a = asked;
        a.compartment = refused;
        return first ? first : refusal{error_code::wrong_state, "", sentence{"没有待办。", "Nothing waits."}};
    }

    std::optional<refusal> judge(const staff_deed& deed) {
        if (deed.verb == deed_verb::put_back) {
            return put_back(deed);
        }
        if (deed.verb == deed_verb::next) {
            return next();
        }
        a.compartment = deed.compartment;
        if (w.s.d.compartments.count(a.compartment) == 0) {
            return refusal{error_code::unknown_compartment, fmt::format("there is no door {}", a.compartment)};
        }
        const auto why = deed.verb == deed_verb::reclaim  ? reclaim()
                         : deed.verb == deed_verb::settle ? settle()
                                                          : open(!deed.reason.empty());
        return why ? why : hindrance(w, a.compartment);
    }
};

verdict do_at_once(work& w, const staff_member& m, const staff_deed& deed) {
    if (deed.verb == deed_verb::list) {
        return serialize(session_json(w, m));
    }
    if (deed.verb == deed_verb::confirm) {
        return m.may(permit::deposit_return) ? confirm_deposit(w, deed.deposit, "staff:" + m.number)
                                             : verdict(lacks(permit::deposit_return));
    }
    return m.may(permit::move) ? move_deposit(w, deed.deposit, deed.compartment, "staff:" + m.number)
                               : verdict(lacks(permit::move));
}

}  // namespace

bool suspended(const work& w, const staff_member& m) {
    return (m.suspended && !sick(canary::suspended_staff_enter)) || suspended_by_codes(w, m.number);
}

refusal suspended_refusal(const staff_member& m) {
    return m.suspended
               ? refusal{error_code::suspended, "suspended by the roster: a new roster ends it",
                         sentence{"该工号已被停用，请联系管理部门。",
                                  "Your office has suspended this number. Ask your office."}}
               : refusal{error_code::suspended, "after wrong codes: it ends by itself, or a staff grant lifts it"};
}

std::optional<refusal> suspension(const work& w, std::string_view sub, bool lifting) {
    const auto* m = w.s.d.people->find_sub(sub);
    if (m == nullptr || (lifting && !m->suspended) || !suspended(w, *m)) {
        return std::nullopt;
    }
    return suspended_refusal(*m);
}

void sign_in(work& w, const entry& e, std::string_view via, const staff_code& code) {
    const asker who = asker_of(e.id);
    if (w.s.d.throttles["front"].locked_out(w.age)) {
        refuse(w, who, via,
               {error_code::locked_out, "",
                sentence{"错误次数过多，请出示二维码。", "Too many wrong codes. Show a QR code instead."}});
        return;
    }
    if (!clock_tells(w)) {
        refuse(w, who, via, {error_code::clock_untrusted, "staff codes need a synchronised clock"});
        return;
    }
    const auto* m = w.s.d.people->find(code.number);
    const std::int64_t step = step_of(w, code);
    if (m != nullptr && suspended(w, *m)) {
        refuse(w, who, via, suspended_refusal(*m), m->number);
        return;
    }
    if (m == nullptr || step < 0) {
        const bool known = m != nullptr;
        charge_front(w, via);
        if (known) {
            count_failure(w, code.number, via);
        }
        refuse(w, who, via,
               {error_code::wrong_code, "",
                sentence{"工号或动态码不正确，请核对。", "This number and code do not match. Check both."}},
               known ? code.number : "");
        return;
    }
    auto& record = w.s.d.staff[code.number];
    if (!use_step(w, record, step)) {
        refuse(w, who, via,
               {error_code::replayed, "",
                sentence{"动态码已使用过，请等待下一个。", "This code was used. Wait for the next."}},
               m->number);
        return;
    }
    record.failures = 0;
    record.suspensions = 0;
    begin_session(w, e.terminal, *m, via, std::nullopt, data_of_staff(m->number, via));
    w.answer(who, ok_reply("", serialize(session_json(w, *m))));
}

verdict staff_grant(work& w, const grant& g, const warrant& shown, std::uint64_t terminal, std::string_view via) {
    const auto* m = w.s.d.people->find_sub(g.sub);
    if (m == nullptr) {
        return refusal{error_code::not_permitted, "sub: not in the roster"};
    }
    const std::string by = "grant:" + g.jti;
    const auto at = w.s.d.staff.find(m->number);
    if (at != w.s.d.staff.end()) {
        (void)lift_suspension(w, m->number, by);
    }
    if (terminal == 0) {
        return serialize(object{{"staff", m->number}, {"suspended", false}});
    }
    event_data said;
    said.by = by;
    begin_session(w, terminal, *m, via, shown, said);
    return serialize(session_json(w, *m));
}

verdict lift_suspension(work& w, const std::string& number, const std::string& by) {
    const auto at = w.s.d.staff.find(number);
    const auto* m = w.s.d.people->find(number);
    if (m == nullptr) {
        return refusal{error_code::not_permitted, "that number is not in the roster"};
    }
    if (m->suspended) {
        return suspended_refusal(*m);
    }
    const bool lifted = at != w.s.d.staff.end() && at->second.suspended_until > w.age;
    if (lifted) {
        at->second.failures = 0;
        at->second.suspensions = 0;
        at->second.suspended_until = 0;
        event_data data;
        data.staff = number;
        if (!by.empty()) {
            data.by = by;
        }
        data.reason = "lifted";
        w.say(event_type::credential_suspended, "", data);
    }
    return serialize(object{{"staff", number}, {"suspended", false}, {"lifted", lifted}});
}

void do_deed(work& w, const entry& e, const session& at, const staff_deed& deed) {
    const asker who = asker_of(e.id);
    const auto* m = w.s.d.people->find(at.number);
    if (m == nullptr) {  // its session ends with this step
        refuse(w, who, at.via, {error_code::not_permitted, "that number is not in the roster"}, at.number);
        return;
    }
    if (deed.verb == deed_verb::out) {
        const std::string number = at.number;
        end_session(w, e.terminal, "out");
        w.answer(who, ok_reply("", serialize(object{{"staff", number}, {"signed_out", true}})));
        return;
    }
    const bool at_once =
        deed.verb == deed_verb::list || deed.verb == deed_verb::confirm || deed.verb == deed_verb::move;
    if (at_once) {
        const auto done = do_at_once(w, *m, deed);
        if (done) {
            w.answer(who, ok_reply("", *done));
        } else {
            refuse(w, who, at.via, done.error(), m->number, deed.compartment);
        }
        return;
    }
    door_deed d{w, *m, {}};
    d.a.by = "staff:" + m->number;
    d.a.via = at.via;
    d.a.reason = deed.reason;
    d.a.who = who;
    const auto why = d.judge(deed);
    if (why && deed.verb == deed_verb::next && d.a.compartment == 0) {
        w.answer_error(who, *why);  // nothing waits: nobody was refused anything
        return;
    }
    if (why) {
        refuse(w, who, at.via, *why, m->number, d.a.compartment);
        return;
    }
    d.a.warrants = {at.member};
    if (at.grant) {
        d.a.warrants.push_back(*at.grant);
    }
    authorise(w, d.a);
}

void end_session(work& w, std::uint64_t terminal, std::string_view reason) {
    const auto at = w.s.l.sessions.find(terminal);
    if (at == w.s.l.sessions.end()) {
        return;
    }
    auto data = data_of_staff(at->second.number, at->second.via);
    data.reason = std::string(reason);
    w.say(event_type::staff_signed_out, "", data);
    w.s.l.sessions.erase(at);
}

void advance_sessions(work& w) {
    std::vector<std::pair<std::uint64_t, std::string_view>> over;
    for (const auto& [terminal, at] : w.s.l.sessions) {
        const auto* m = w.s.d.people->find(at.number);
        if (m == nullptr || m->sub != at.member.sub) {
            over.emplace_back(terminal, "not in the roster any more");
        } else if (suspended(w, *m)) {
            over.emplace_back(terminal, "suspended");
        } else if (at.grant && !holds(w, *at.grant)) {
            over.emplace_back(terminal, "its grant was revoked");
        } else if (w.due(at.last + idle_end) && !sick(canary::sessions_never_end)) {
            over.emplace_back(terminal, "idle");
        } else if (w.due(at.began + longest_session)) {
            over.emplace_back(terminal, "its shift is over");
        }
    }
    for (const auto& [terminal, reason] : over) {
        end_session(w, terminal, reason);
    }
    for (const auto& [number, record] : w.s.d.staff) {
        if (record.suspended_until > w.age) {
            (void)w.due_age(record.suspended_until);
        }
    }
}

}  // namespace locker::core
