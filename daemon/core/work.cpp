#include "daemon/core/work.hpp"

#include "daemon/core/rows.hpp"
#include "daemon/core/timekeeping.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/state.hpp"

namespace locker::core {
work::work(const cabinet_config& c, const archive& a, state draft, moment at, std::int64_t cabinet_age)
    : config(c), past(a), s(std::move(draft)), now(at), age(cabinet_age) {
    keep_time(s, now, age);
    wall = judged_time(s, now, age);
}

void work::say(event_type type, std::string subject, const event_data& data) {
    ledger_row row;
    row.sequence = s.d.m.sequence + 1;
    row.wall_ms = wall;
    row.mono_ms = now.mono_ms;
    row.boot = s.l.boot;
    row.type = name(type);
    row.subject = std::move(subject);
    row.data = encode(data);
    row.previous = s.d.m.head;
    row.hash = ledger_hash(row);
    s.d.m.sequence = row.sequence;
    s.d.m.head = row.hash;
    rows.push_back(std::move(row));
}

const compartment_config& work::configured(int number) const {
    const auto at = std::find_if(config.compartments.begin(), config.compartments.end(),
                                 [&](const auto& c) { return c.number == number; });
    if (at == config.compartments.end()) {
        throw std::logic_error("no compartment " + std::to_string(number));
    }
    return *at;
}

deposit* work::find_deposit(std::string_view id) {
    const auto at = s.d.deposits.find(id);
    return at == s.d.deposits.end() ? nullptr : &at->second;
}

void work::answer(const asker& who, const std::string& reply) {
    if (who.entry != 0) {
        after.push_back(entry_answer{who.entry, reply});
    } else if (!who.topic.empty()) {
        after.push_back(publish{who.topic, reply, 1, false, who.correlation, 0});
    }
}

void work::answer_error(const asker& who, const refusal& why) {
    answer(who, error_reply(who.id, why, config.help));
}

event_data data_of(const deposit& d) {
    event_data data;
    data.deposit = d.id;
    if (!d.case_id.empty()) {
        data.case_id = d.case_id;
    }
    data.kind = name(d.kind);
    data.compartment = d.compartment;
    return data;
}

event_data data_of(const opening& o, const deposit* d) {
    event_data data;
    if (d != nullptr) {
        data = data_of(*d);
    } else if (!o.deposit.empty()) {
        data.deposit = o.deposit;
    }
    data.compartment = o.compartment;
    data.opening = o.id;
    data.purpose = std::string(name(o.what));
    data.by = o.by;
    return data;
}

use_state use_of(const durable& d, const compartment& c) {
    if (!c.deposit.empty()) {
        const auto at = d.deposits.find(c.deposit);
        return at != d.deposits.end() && at->second.state == deposit_state::reserved ? use_state::reserved
                                                                                     : use_state::occupied;
    }
    if (!c.suspicion.empty() && !sick(canary::suspected_is_vacant)) {
        return use_state::suspected;
    }
    return c.disabled ? use_state::disabled : use_state::vacant;
}

bool in_grace(const work& w, const deposit& d) {
    const auto& c = w.s.d.compartments.at(d.compartment);
    return d.state == deposit_state::retrieved && c.grace_deposit == d.id && c.hold_until > w.age;
}

refusal with_the_staff() {
    return {error_code::wrong_state, "reclaimed",
            sentence{"您的材料超过保管期，已由工作人员代为保管，请联系工作人员领取。",
                     "Your papers were kept too long and are with the staff now. Ask them."}};
}

void say_refused(work& w, error_code reason, std::string_view via, int compartment, std::string_view staff) {
    constexpr std::int64_t interval = second;
    constexpr std::int64_t burst = 20;
    auto& l = w.s.l;
    w.count("refused." + std::string(name(reason)));
    const std::int64_t debt = std::max<std::int64_t>(0, l.refusal_debt - (w.now.mono_ms - l.refusal_at));
    if (debt + interval > burst * interval) {
        ++l.refusals_unsaid;
        if (l.refusals_due == 0) {
            l.refusals_due = w.now.mono_ms + minute;
        }
        return;
    }
    l.refusal_debt = debt + interval;
    l.refusal_at = w.now.mono_ms;
    event_data data;
    data.reason = std::string(name(reason));
    data.via = std::string(via);
    if (compartment != 0) {
        data.compartment = compartment;
    }
    if (!staff.empty()) {
        data.staff = std::string(staff);
    }
    w.say(event_type::credential_refused, "", data);
}

void say_counted_refusals(work& w) {
    auto& l = w.s.l;
    if (l.refusals_due == 0 || !w.due(l.refusals_due)) {
        return;
    }
    event_data data;
    data.reason = "repeated";
    data.count = l.refusals_unsaid;
    w.say(event_type::credential_refused, "", data);
    l.refusals_unsaid = 0;
    l.refusals_due = 0;
}

void suspect(work& w, compartment& c, std::string_view reason) {
    c.doubt = false;
    if (!c.suspicion.empty()) {
        return;
    }
    c.suspicion = reason;
    event_data data;
    data.compartment = c.number;
    data.reason = std::string(reason);
    w.say(event_type::compartment_suspected, subject_of(c.number), data);
}

std::string_view doubt_about(const compartment& c) {
    return !c.suspicion.empty() ? std::string_view(c.suspicion) : c.forced_ms != 0 ? forced_open : "";
}

void end_deposit(work& w, deposit& d, deposit_state how, std::int64_t grace_ms) {
    auto& c = w.at(d.compartment);
    d.state = how;
    d.since = w.age;
    d.since_ms = w.wall;
    if (c.deposit == d.id) {
        c.deposit.clear();
    }
    c.hold_until = w.age + grace_ms;
    c.grace_deposit = grace_ms > 0 ? d.id : "";
    w.extra.push_back({"ended", d.id, encode_row(d)});
    if (c.doubt) {
        suspect(w, c, c.forced_ms != 0 ? forced_open : "an opening without a clear end");
    }
    if (grace_ms == 0 && how != deposit_state::reclaimed) {
        w.s.d.deposits.erase(std::string(d.id));
    }
}

std::string_view name(purpose p) {
    switch (p) {
        case purpose::deposit:
            return "deposit";
        case purpose::collect:
            return "collect";
        case purpose::open:
            return "open";
        case purpose::settle:
            return "settle";
    }
    return "";
}

std::optional<purpose> purpose_from(std::string_view text) {
    for (const auto p : {purpose::deposit, purpose::collect, purpose::open, purpose::settle}) {
        if (name(p) == text) {
            return p;
        }
    }
    return std::nullopt;
}

}  // namespace locker::core
