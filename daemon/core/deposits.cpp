#include "daemon/core/deposits.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/allocation.hpp"
#include "daemon/core/openings.hpp"
#include "hal/ports/canary.hpp"

namespace locker::core {
namespace {

using boost::json::object;

bool has_opening(const work& w, std::string_view deposit) {
    return std::any_of(w.s.d.openings.begin(), w.s.d.openings.end(),
                       [&](const auto& o) { return o.second.deposit == deposit; });
}

// The compartment that a new deposit asked for by number.
reading<int> named_place(const work& w, int number, box_size size) {
    const auto at = w.s.d.compartments.find(number);
    if (at == w.s.d.compartments.end()) {
        return refusal{error_code::unknown_compartment, fmt::format("cmp: there is no door {}", number)};
    }
    if (at->second.disabled) {
        return refusal{error_code::disabled, fmt::format("cmp: door {} takes no new deposits", number)};
    }
    if (!allocatable(w, at->second) || w.configured(number).size < size) {
        return refusal{error_code::no_vacancy, fmt::format("cmp: door {} is not free, or too small", number)};
    }
    return number;
}

void remind(work& w, deposit& d) {
    const std::int64_t every = w.config.rules.reminder;
    if (every == 0 || !w.due_age(d.since + (d.reminders + 1) * every)) {
        return;
    }
    d.reminders = static_cast<int>((w.age - d.since) / every);  // a cabinet that was off does not catch up
    auto data = data_of(d);
    data.count = d.reminders;
    w.say(event_type::deposit_reminder, subject_of(d.compartment), data);
}

void advance_stored(work& w, deposit& d) {
    const auto& rules = w.config.rules;
    const auto limit = d.kind == deposit_kind::intake ? rules.overdue_intake : rules.overdue_return;
    remind(w, d);
    if (d.overdue || !w.due_age(d.since + limit)) {
        return;
    }
    d.overdue = true;
    w.say(event_type::deposit_overdue, subject_of(d.compartment), data_of(d));
    if (sick(canary::overdue_is_given_up)) {
        w.say(event_type::deposit_expired, subject_of(d.compartment), data_of(d));
        suspect(w, w.at(d.compartment), "overdue");
        end_deposit(w, d, deposit_state::expired, 0);
    }
}

// It has ended: kept while somebody may come back for what they forgot, or ask where their papers went.
void advance_ended(work& w, const deposit& d) {
    auto& c = w.at(d.compartment);
    const bool reclaimed = d.state == deposit_state::reclaimed;
    const std::int64_t until = reclaimed ? d.since + w.config.rules.reclaimed_known : c.hold_until;
    if (!w.due_age(until) || has_opening(w, d.id)) {
        return;
    }
    if (c.grace_deposit == d.id) {
        c.grace_deposit.clear();
    }
    w.hint_only = true;  // time brings it about again; whatever gives the compartment away syncs this, too
    w.s.d.deposits.erase(std::string(d.id));
}

}  // namespace

refusal unknown_or_ended(const work& w, std::string_view deposit) {
    if (w.past.find("ended", deposit)) {
        return {error_code::wrong_state, "the deposit has ended; an id is never used again"};
    }
    return {error_code::unknown_deposit, "no such deposit here"};
}

reading<int> place_for(work& w, const stay& wanted) {
    if (const auto* d = w.find_deposit(wanted.deposit)) {
        if (d->state != deposit_state::reserved && d->state != deposit_state::deposited) {
            return refusal{error_code::wrong_state, fmt::format("dep: it is {} already", name(d->state))};
        }
        const auto why = hindrance(w, d->compartment);
        return why ? reading<int>(*why) : reading<int>(d->compartment);
    }
    if (w.past.find("ended", wanted.deposit)) {
        return unknown_or_ended(w, wanted.deposit);
    }
    if (w.s.l.space_low) {
        return refusal{error_code::storage_failed, "storage is nearly full: retrievals only"};
    }
    int place = 0;
    if (wanted.compartment != 0) {
        auto named = named_place(w, wanted.compartment, wanted.size);
        if (!named) {
            return named;
        }
        place = *named;
    }
    const int free = allocate(w, {wanted.kind, wanted.size, wanted.accessible, false});
    if (free == 0) {
        return refusal{error_code::no_vacancy, ""};
    }
    place = place != 0 ? place : free;
    if (const auto why = hindrance(w, place)) {
        return *why;
    }
    deposit d;
    d.id = wanted.deposit;
    d.kind = wanted.kind;
    d.case_id = wanted.case_id;
    d.size = wanted.size;
    d.accessible = wanted.accessible;
    d.compartment = place;
    d.since = w.age;
    d.since_ms = w.wall;
    w.at(place).deposit = d.id;
    auto data = data_of(d);
    data.by = wanted.by;
    w.s.d.deposits[d.id] = d;
    w.say(event_type::deposit_reserved, subject_of(place), data);
    return place;
}

verdict confirm_deposit(work& w, const std::string& id, std::string_view by) {
    auto* d = w.find_deposit(id);
    if (d == nullptr) {
        return unknown_or_ended(w, id);
    }
    if (!d->live()) {
        return refusal{error_code::wrong_state, "the deposit has ended"};
    }
    const std::string result =
        serialize(object{{"deposit", d->id}, {"state", "confirmed"}, {"compartment", d->compartment}});
    if (d->state == deposit_state::confirmed) {
        return result;  // tapped twice
    }
    // A door that nobody could see (outcome unknown or interrupted): the person's word is what there is.
    const bool unseen = d->state == deposit_state::reserved && d->unseen;
    if (d->state != deposit_state::deposited && !unseen) {
        return refusal{error_code::wrong_state, "the door was not yet opened and shut for this deposit"};
    }
    auto data = data_of(*d);
    if (!by.empty()) {
        data.by = std::string(by);
    }
    if (unseen) {
        w.say(event_type::deposit_deposited, subject_of(d->compartment), data);
    }
    d->state = deposit_state::confirmed;
    d->since = w.age;
    d->since_ms = w.wall;
    w.say(event_type::deposit_confirmed, subject_of(d->compartment), data);
    return result;
}

verdict cancel_deposit(work& w, const std::string& id) {
    auto* d = w.find_deposit(id);
    if (d == nullptr) {
        return unknown_or_ended(w, id);
    }
    if (d->state != deposit_state::reserved) {
        return refusal{error_code::wrong_state, "only a reservation can be cancelled"};
    }
    for (const auto& [opening_id, o] : w.s.d.openings) {
        if (o.deposit == d->id && o.result == outcome::pending) {
            return refusal{error_code::busy, "its door is being opened"};
        }
    }
    if (d->pulsed) {
        return refusal{error_code::wrong_state, "its door was opened: something may lie in it"};
    }
    w.say(event_type::deposit_cancelled, subject_of(d->compartment), data_of(*d));
    end_deposit(w, *d, deposit_state::cancelled, 0);
    return serialize(object{{"deposit", id}, {"state", "cancelled"}});
}

verdict move_deposit(work& w, const std::string& id, int to, const std::string& by) {
    auto* d = w.find_deposit(id);
    if (d == nullptr) {
        return unknown_or_ended(w, id);
    }
    if (!d->retrievable()) {
        return refusal{error_code::wrong_state, fmt::format("dep: it is {}", name(d->state))};
    }
    const auto at = w.s.d.compartments.find(to);
    if (at == w.s.d.compartments.end()) {
        return refusal{error_code::unknown_compartment, fmt::format("cmp: there is no door {}", to)};
    }
    auto& there = at->second;
    if (there.deposit == id) {
        return refusal{error_code::wrong_state, fmt::format("the deposit lies behind door {} already", to)};
    }
    if (!there.deposit.empty()) {
        return refusal{error_code::wrong_state, fmt::format("door {} holds another deposit: move that one first", to)};
    }
    auto& here = w.at(d->compartment);
    for (const int door : {here.number, to}) {
        if (in_use(w, door)) {
            return refusal{error_code::busy, fmt::format("door {} is being opened, or was not shut since", door)};
        }
    }
    if (there.hold_until > w.age) {
        return refusal{error_code::busy, fmt::format("door {} was emptied this very minute", to)};
    }
    forget_unknown(w, here.number);
    forget_unknown(w, to);
    here.deposit.clear();
    there.deposit = id;
    d->compartment = to;
    auto data = data_of(*d);
    data.from = here.number;
    data.by = by;
    w.say(event_type::deposit_moved, subject_of(to), data);
    suspect(w, here, moved_away);
    here.suspicion = moved_away;  // whatever else it was suspected of: who moves does not settle alone
    return serialize(object{{"deposit", id}, {"from", here.number}, {"compartment", to}});
}

verdict revoke_issues(work& w, const std::string& id, std::uint64_t issue_min, const std::string& by) {
    auto* d = w.find_deposit(id);
    if (d == nullptr) {
        return unknown_or_ended(w, id);
    }
    if (!sick(canary::revoked_issues_open)) {
        d->issue_next = std::max(d->issue_next, issue_min);
        if (d->spent_issue && *d->spent_issue < issue_min) {
            d->spent_issue.reset();  // it opens nothing again, also not within the grace
        }
    }
    event_data data;
    data.deposit = id;
    data.by = by;
    data.issue_min = static_cast<std::int64_t>(issue_min);
    w.say(event_type::credential_revoked, subject_of(d->compartment), data);
    return serialize(object{{"deposit", id}, {"issue_min", d->issue_next}});
}

void advance_deposits(work& w) {
    std::vector<std::string> ids;
    for (const auto& [id, d] : w.s.d.deposits) {
        ids.push_back(id);
    }
    for (const auto& id : ids) {
        auto& d = *w.find_deposit(id);
        if (d.state == deposit_state::reserved && !d.pulsed) {
            if (!has_opening(w, id) && w.due_age(d.since + w.config.rules.reservation)) {
                w.say(event_type::deposit_expired, subject_of(d.compartment), data_of(d));
                end_deposit(w, d, deposit_state::expired, 0);
            }
        } else if (d.retrievable()) {
            advance_stored(w, d);
        } else if (!d.live()) {
            advance_ended(w, d);
        }
    }
}

bool is_unconfirmed(const work& w, const deposit& d) {
    const bool waits = d.state == deposit_state::deposited || (d.state == deposit_state::reserved && d.pulsed);
    return waits && w.age - d.since >= w.config.rules.unconfirmed;
}

}  // namespace locker::core
