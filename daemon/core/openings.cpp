#include "daemon/core/openings.hpp"

#include <fmt/format.h>

#include "daemon/core/allocation.hpp"
#include "daemon/core/doors.hpp"
#include "daemon/core/grants.hpp"
#include "daemon/core/locks.hpp"
#include "daemon/core/replies.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/limits.hpp"

namespace locker::core {
namespace {

void send_pulse(work& w, const opening& o, progress& p) {
    ++p.attempts;
    p.waiting_report = true;
    const std::int64_t last_start = p.limit - w.config.rules.open_within;
    w.after.push_back(
        pulse{{o.id, p.attempts, o.compartment, std::min(p.not_after, last_start), w.config.rules.open_within}});
}

// The code is spent: its door is seen open. A bounce takes this back.
void spend(work& w, const opening& o) {
    auto* d = w.find_deposit(o.deposit);
    if (d != nullptr && o.issue && !o.grace && *o.issue >= d->issue_next && !sick(canary::code_not_spent)) {
        d->spent_issue = o.issue;  // one that was revoked meanwhile opens nothing again
        d->issue_next = *o.issue + 1;
        d->unknown_issue.reset();
    }
}

void seen_open(work& w, opening& o, bool recovered) {
    auto& c = w.at(o.compartment);
    auto* d = w.find_deposit(o.deposit);
    const auto reads = contact_of(w, o.compartment);
    const auto run = w.s.l.running.find(o.id);
    const std::int64_t seen =
        run != w.s.l.running.end() && run->second.seen_open >= 0 ? run->second.seen_open : reads.since;
    o.opened_at = w.age - std::max<std::int64_t>(0, w.now.mono_ms - seen);
    o.opened_ms = w.wall - (w.age - o.opened_at);
    o.late = reads.first && reads.since == seen;
    spend(w, o);
    if (d != nullptr && !o.grace) {
        d->pulsed = true;
    }
    c.door = door_state::open;
    c.jams = 0;
    c.last_used = w.age;
    if (c.lock == lock_state::jammed) {
        c.lock = lock_state::ok;
    }
    if (o.result != outcome::pending && !sick(canary::two_outcomes)) {
        return;  // it was called unknown; there is one outcome, the closing will still count
    }
    o.result = outcome::opened;
    auto data = data_of(o, d);
    if (recovered) {
        data.recovered = true;
    }
    w.say(event_type::opening_opened, subject_of(o.compartment), data);
    const bool maintenance = o.what == purpose::open || o.what == purpose::settle;
    if (c.lock == lock_state::quarantined && maintenance) {
        c.lock = lock_state::ok;
        w.say(event_type::lock_released, subject_of(o.compartment), data);
    }
    w.count("openings.opened");
    if (!recovered && run != w.s.l.running.end()) {
        const auto& p = run->second;
        const bool timed = p.pulsed_at >= 0 && p.seen_open >= p.pulsed_at && !o.late;
        learn_opening(w.s.d.locks[o.compartment], timed ? p.seen_open - p.pulsed_at : -1, p.sent);
        say_wear(w, o.compartment);
    }
    finish_opening(w, o, std::nullopt);
}

// Whether its authority still holds: only then one more pulse leaves.
bool stands(work& w, const opening& o, const progress& p) {
    if (sick(canary::revoked_grants_open)) {
        return true;
    }
    const auto* d = w.find_deposit(o.deposit);
    const bool revoked = o.issue && (d == nullptr || (o.grace ? !in_grace(w, *d) : *o.issue < d->issue_next));
    return !revoked &&
           std::all_of(p.warrants.begin(), p.warrants.end(), [&](const auto& one) { return holds(w, one); });
}

void conclude_jammed(work& w, opening& o);
void closed_settlement(work& w, const opening& o, compartment& c);
void looked_into(work& w, const opening& o, compartment& c);

void conclude_unknown(work& w, opening& o) {
    auto& c = w.at(o.compartment);
    auto* d = w.find_deposit(o.deposit);
    o.result = outcome::unknown;
    w.say(event_type::opening_unknown, subject_of(o.compartment), data_of(o, d));
    w.count("openings.unknown");
    const bool blind = w.configured(o.compartment).contact == contact_kind::none;
    // A lock without a contact: the staff member's word is all there will ever be.
    if (o.what == purpose::settle && blind) {
        closed_settlement(w, o, c);
    } else if (o.look && blind) {
        looked_into(w, o, c);
    } else if (d != nullptr && d->live()) {
        d->pulsed = true;
        d->unseen = true;
        c.doubt = true;
        if (o.issue && d->unknown_issue != o.issue) {
            d->unknown_issue = o.issue;
            d->unknown_until = w.age + w.config.rules.unknown_window;
            d->unknown_left = w.config.rules.unknown_openings;
        }
    } else {
        suspect(w, c, "an opening with unknown outcome");
    }
    c.last_used = w.age;
    finish_opening(w, o,
                   refusal{error_code::unknown_outcome,
                           fmt::format("opening {}: door {} could not be seen", o.id, o.compartment)});
}

void conclude_interrupted(work& w, opening& o, bool maybe_moved, bool recovered) {
    auto& c = w.at(o.compartment);
    auto* d = w.find_deposit(o.deposit);
    o.result = outcome::interrupted;
    auto data = data_of(o, d);
    if (recovered) {
        data.recovered = true;
    }
    w.say(event_type::opening_interrupted, subject_of(o.compartment), data);
    w.count("openings.interrupted");
    if (maybe_moved) {
        if (d != nullptr && d->live()) {
            d->pulsed = true;
            d->unseen = true;
            c.doubt = true;
        } else {
            suspect(w, c, "an interrupted opening");
        }
    }
    const auto run = w.s.l.running.find(o.id);
    const bool held_back = run != w.s.l.running.end() && run->second.held_back;
    finish_opening(
        w, o,
        held_back ? refusal{error_code::busy, fmt::format("the lock of door {} cools down", o.compartment)}
                  : refusal{error_code::board_lost, fmt::format("opening {} was interrupted; the door is shut", o.id)});
    w.s.d.openings.erase(o.id);  // `o` is gone
}

// No door seen open and no time or pulses left: say what is known.
void conclude(work& w, opening& o, const progress& p) {
    const auto reads = contact_of(w, o.compartment);
    const bool seen_shut = reads.known && !reads.open && p.armed;
    if (!p.maybe_pulsed) {
        conclude_interrupted(w, o, false, false);
    } else if (seen_shut && p.acknowledged) {
        conclude_jammed(w, o);
    } else if (seen_shut) {
        conclude_interrupted(w, o, true, false);
    } else {
        conclude_unknown(w, o);
    }
}

// A deposit that found its door jammed goes on in another compartment, with an authorisation of its own.
bool move_on(work& w, const opening& o, const progress& p) {
    auto* d = w.find_deposit(o.deposit);
    const std::int64_t reply_by = p.started + w.config.rules.reply_within;
    const bool time_left =
        w.now.mono_ms + w.config.rules.open_within <= reply_by && w.now.mono_ms < p.not_after && stands(w, o, p);
    if (o.what != purpose::deposit || d == nullptr || d->state != deposit_state::reserved || !time_left) {
        return false;
    }
    const int other = allocate(w, {d->kind, d->size, d->accessible, true});
    if (other == 0) {
        return false;
    }
    auto& from = w.at(o.compartment);
    auto& to = w.at(other);
    from.deposit.clear();
    to.deposit = d->id;
    d->compartment = other;
    d->pulsed = false;
    auto moved = data_of(*d);
    moved.from = from.number;
    moved.opening = o.id;
    moved.by = o.by;
    w.say(event_type::deposit_moved, subject_of(other), moved);
    suspect(w, from, "a deposit moved on from its jammed door");

    opening next;
    next.id = w.next_sequence();
    next.compartment = other;
    next.deposit = o.deposit;
    next.what = o.what;
    next.by = o.by;
    next.command = o.command;
    next.reply_topic = o.reply_topic;
    next.correlation = o.correlation;
    auto data = data_of(next, d);
    data.after = o.id;
    w.say(event_type::opening_authorised, subject_of(other), data);
    to.last_used = w.age;

    progress run;
    run.started = p.started;
    run.limit = std::min(w.now.mono_ms + w.config.rules.opening_limit, reply_by);
    run.not_after = p.not_after;
    run.askers = p.askers;
    run.warrants = p.warrants;
    const auto reads = contact_of(w, other);
    run.armed = reads.known && !reads.open;
    send_pulse(w, next, run);
    w.s.l.running[next.id] = run;
    w.s.d.openings[next.id] = next;
    return true;
}

void conclude_jammed(work& w, opening& o) {
    auto& c = w.at(o.compartment);
    auto* d = w.find_deposit(o.deposit);
    const progress p = w.s.l.running.at(o.id);
    const std::int64_t id = o.id;
    // Its door may have been open under an earlier opening: then something may lie here, and nothing moves.
    const bool untouched = d != nullptr && !d->pulsed && !c.doubt;
    o.result = outcome::jammed;
    w.say(sick(canary::jammed_is_called_opened) ? event_type::opening_opened : event_type::opening_jammed,
          subject_of(o.compartment), data_of(o, d));
    w.count("openings.jammed");
    learn_jam(w.s.d.locks[o.compartment], p.sent);
    say_wear(w, o.compartment);
    c.last_used = w.age;
    ++c.jams;
    if (c.lock == lock_state::ok) {
        c.lock = lock_state::jammed;
    }
    if (c.jams >= w.config.rules.jams_to_quarantine && c.lock != lock_state::quarantined) {
        c.lock = lock_state::quarantined;
        w.say(event_type::lock_quarantined, subject_of(o.compartment), data_of(o, d));
    }
    if (d != nullptr && d->live()) {
        d->pulsed = true;
        c.doubt = true;
    } else if (o.grace) {
        suspect(w, c, "its door jammed for somebody who came back");
    }
    if (untouched && move_on(w, o, p)) {
        w.s.l.running.erase(id);
    } else {
        finish_opening(w, o, refusal{error_code::jammed, fmt::format("opening {}: door {}", id, o.compartment)});
    }
    w.s.d.openings.erase(id);  // `o` is gone
}

void advance_pending(work& w, opening& o) {
    auto& p = w.s.l.running[o.id];
    const auto reads = contact_of(w, o.compartment);
    if (p.recovering) {
        if (reads.known && reads.open) {
            seen_open(w, o, true);
        } else if (reads.known || w.configured(o.compartment).contact == contact_kind::none || w.due(p.limit)) {
            conclude_interrupted(w, o, true, true);
        }
        return;
    }
    // The line answers every order; the margin is for a line thread that died. While an order is under way nothing is
    // concluded, be the door open or not: its pulse would be one without an opening.
    if (p.waiting_report && !w.due(p.limit + 2 * second)) {
        return;
    }
    if (p.seen_open >= 0) {
        seen_open(w, o, false);
        return;
    }
    if (!p.waiting_report && !w.due(p.watch_until)) {
        return;
    }
    const bool can_be_seen = p.armed && w.configured(o.compartment).contact != contact_kind::none;
    const bool again = !p.waiting_report && (can_be_seen || !p.maybe_pulsed) &&
                       p.attempts < w.config.rules.pulses_max && !w.s.l.storage_failed &&
                       w.now.mono_ms + w.config.rules.open_within <= p.limit && w.now.mono_ms < p.not_after &&
                       stands(w, o, p);
    if (again) {
        send_pulse(w, o, p);
        return;
    }
    p.maybe_pulsed = p.maybe_pulsed || p.waiting_report;  // the order was given, and nobody knows what became of it
    conclude(w, o, p);
}

void closed_collection(work& w, const opening& o, compartment& c) {
    auto* d = w.find_deposit(o.deposit);
    if (d == nullptr || !d->retrievable()) {
        return;  // a reopening within the grace, or a second opening of the same stay
    }
    auto data = data_of(o, d);
    w.say(event_type::deposit_retrieved, subject_of(c.number), data);
    end_deposit(w, *d, deposit_state::retrieved, w.config.rules.grace);
}

void closed_settlement(work& w, const opening& o, compartment& c) {
    auto* d = w.find_deposit(o.deposit);
    c.doubt = false;
    if (d != nullptr && d->live()) {
        w.say(event_type::deposit_reclaimed, subject_of(c.number), data_of(o, d));
        end_deposit(w, *d, deposit_state::reclaimed, 0);
    }
    c.suspicion.clear();
    w.say(event_type::compartment_settled, subject_of(c.number), data_of(o, nullptr));
}

// Staff found there what belongs there, and left it.
void looked_into(work& w, const opening& o, compartment& c) {
    const auto* lies = w.find_deposit(c.deposit);
    if (!c.suspicion.empty() && lies != nullptr && lies->live()) {
        c.suspicion.clear();
        w.say(event_type::compartment_settled, subject_of(c.number), data_of(o, nullptr));
    }
}

// The door is shut and has rested. `unseen`: it was shut while nobody watched (a restart, a silent board).
void closed(work& w, opening& o, std::int64_t open_ms, bool unseen) {
    auto& c = w.at(o.compartment);
    auto* d = w.find_deposit(o.deposit);
    const bool bounced =
        !o.passed && (unseen || open_ms < w.config.rules.bounce) && !sick(canary::bounce_counts_as_taken);
    auto data = data_of(o, d);
    data.open_ms = open_ms;
    if (unseen) {
        data.unseen = true;
    } else if (bounced) {
        data.bounced = true;
    }
    c.door = door_state::closed;
    c.last_used = w.age;
    w.say(event_type::opening_closed, subject_of(c.number), data);
    if (bounced && !unseen) {
        ++w.s.d.locks[c.number].bounces;
        if (d != nullptr && o.issue && d->spent_issue == o.issue && d->issue_next == *o.issue + 1 && d->retrievable()) {
            d->spent_issue.reset();
            d->issue_next = *o.issue;
        }
        return;
    }
    switch (o.what) {
        case purpose::deposit:
            // Unseen counts too: believing that papers may be there is the safe side.
            if (d != nullptr && d->state == deposit_state::reserved) {
                d->state = deposit_state::deposited;
                d->since = w.age;
                d->since_ms = w.wall;
                w.say(event_type::deposit_deposited, subject_of(c.number), data_of(o, d));
            }
            break;
        case purpose::collect:
            if (bounced) {
                c.doubt = d != nullptr && d->live();  // unseen and too short to know: it stays retrievable
            } else {
                closed_collection(w, o, c);
            }
            break;
        case purpose::settle:
            if (!bounced) {
                closed_settlement(w, o, c);
            }
            break;
        case purpose::open:
            break;
    }
    if (o.what == purpose::open || o.what == purpose::settle) {
        c.forced_ms = 0;  // somebody was sent there to look
        if (o.look && !bounced) {
            looked_into(w, o, c);
        }
    }
}

// After its outcome an opening lives on until its door is seen shut.
void advance_concluded(work& w, opening& o) {
    const auto& rules = w.config.rules;
    const auto reads = contact_of(w, o.compartment);
    const auto running = w.s.l.running.find(o.id);
    const bool from_before = running == w.s.l.running.end();
    if (o.opened_at < 0) {
        // Unknown. A door that is found open when its contact can be seen again is still this opening's; one that was
        // seen shut since is not: whoever opens it then needs an authority of their own.
        const auto& p = w.s.l.running[o.id];
        if (p.seen_open >= 0) {
            seen_open(w, o, false);
            return;
        }
        const bool seen_shut = reads.known && !reads.open && w.due(reads.since + rules.rest);
        if (from_before || seen_shut || w.due(p.started + rules.unknown_window)) {
            w.s.l.running.erase(o.id);
            w.s.d.openings.erase(o.id);
        }
        return;
    }
    if (!reads.known) {
        return;
    }
    if (reads.open) {
        w.s.l.running[o.id].armed = true;  // seen open in this run: its closing will be seen too
        if (!o.passed && w.due_age(o.opened_at + rules.bounce)) {
            o.passed = true;
            w.hint_only = true;
        }
        if (!o.held && w.due_age(o.opened_at + rules.held_open)) {
            o.held = true;
            w.say(event_type::door_held_open, subject_of(o.compartment), data_of(o, w.find_deposit(o.deposit)));
        }
        return;
    }
    if (!w.due(reads.since + rules.rest)) {
        return;
    }
    const std::int64_t shut_age = w.age - (w.now.mono_ms - reads.since);
    const bool unseen = from_before || reads.first || o.late;
    closed(w, o, std::max<std::int64_t>(0, shut_age - o.opened_at), unseen);
    w.s.l.running.erase(o.id);
    w.s.d.openings.erase(o.id);
}

bool ends_with_the_next(const opening& old, bool in_sight) {
    return old.result != outcome::pending && (old.opened_at < 0 || (!old.passed && !in_sight));
}

}  // namespace

std::optional<refusal> hindrance(const work& w, int compartment) {
    const auto& wired = w.configured(compartment);
    if (!w.s.l.boards.at(static_cast<std::size_t>(wired.relay_board)).present) {
        return refusal{
            error_code::board_lost,
            fmt::format("board {} does not answer", w.config.boards.at(static_cast<std::size_t>(wired.relay_board)))};
    }
    int pending = 0;
    const auto reads = contact_of(w, compartment);
    for (const auto& [id, o] : w.s.d.openings) {
        // Open already, or shut so lately that the closing does not count yet: a second opening now would lend it its
        // own time. Not for ever: a contact that went bad must not stop an authorised opening.
        if (o.compartment == compartment && o.opened_at >= 0 && reads.known &&
            w.age - o.opened_at < w.config.rules.held_open) {
            return refusal{error_code::busy, fmt::format("door {} {}", compartment,
                                                         reads.open ? "is open already" : "was shut this very moment")};
        }
        if (o.result != outcome::pending) {
            continue;
        }
        ++pending;
        if (o.compartment == compartment) {
            return refusal{error_code::busy, fmt::format("door {} is being opened", compartment)};
        }
    }
    if (pending >= limits::openings_max) {
        return refusal{error_code::busy, "other doors are being opened"};
    }
    return std::nullopt;
}

bool in_use(const work& w, int compartment) {
    const bool in_sight = contact_of(w, compartment).known;
    return std::any_of(w.s.d.openings.begin(), w.s.d.openings.end(), [&](const auto& entry) {
        return entry.second.compartment == compartment && !ends_with_the_next(entry.second, in_sight);
    });
}

void forget_unknown(work& w, int compartment) {
    const bool in_sight = contact_of(w, compartment).known;
    std::erase_if(w.s.d.openings, [&](const auto& entry) {
        const opening& old = entry.second;
        const bool ends = old.compartment == compartment && ends_with_the_next(old, in_sight);
        if (ends) {
            w.s.l.running.erase(old.id);
        }
        return ends;
    });
}

void authorise(work& w, const authority& a) {
    auto* d = w.find_deposit(a.deposit);
    opening o;
    o.id = w.next_sequence();
    o.compartment = a.compartment;
    o.deposit = a.deposit;
    o.what = a.what;
    o.by = a.by;
    o.issue = a.issue;
    o.grace = a.grace;
    o.look = a.look;
    o.command = a.command;
    if (!a.command.empty()) {
        o.reply_topic = a.who.topic;
        o.correlation = a.who.correlation;
    }
    auto data = data_of(o, d);
    data.via = a.via;
    if (!a.second.empty()) {
        data.second = a.second;
    }
    if (!a.reason.empty()) {
        data.reason = a.reason;
    }
    w.say(event_type::opening_authorised, subject_of(a.compartment), data);
    if (d != nullptr && a.issue && !a.grace) {
        d->issue_next = std::max(d->issue_next, *a.issue);  // an accepted issue ends the earlier ones
        if (d->unknown_issue == a.issue) {
            --d->unknown_left;
        }
    }
    w.at(a.compartment).last_used = w.age;
    forget_unknown(w, a.compartment);  // it is this one's from now on

    progress p;
    p.started = w.now.mono_ms;
    p.limit = w.now.mono_ms + w.config.rules.opening_limit;
    p.not_after = a.valid_for > INT64_MAX - w.now.mono_ms ? INT64_MAX : w.now.mono_ms + a.valid_for;
    p.askers = {a.who};
    p.warrants = a.warrants;
    const auto reads = contact_of(w, a.compartment);
    p.armed = reads.known && !reads.open;
    send_pulse(w, o, p);
    w.s.l.running[o.id] = p;
    w.s.d.openings[o.id] = o;
}

void take(state& s, moment now, const policy& rules, const pulse_report& report) {
    const auto at = s.l.running.find(report.opening);
    if (at == s.l.running.end() || at->second.attempts != report.attempt) {
        return;  // of an attempt that was given up
    }
    auto& p = at->second;
    p.waiting_report = false;
    p.held_back = report.result == pulse_result::held_back;
    p.watch_until = now.mono_ms + rules.open_within;
    p.pulsed_at = report.result == pulse_result::done ? report.at_ms : -1;
    switch (report.result) {
        case pulse_result::done:
            p.maybe_pulsed = true;
            p.acknowledged = true;
            ++p.sent;
            break;
        case pulse_result::unsure:
            p.maybe_pulsed = true;  // a frame that was lost is no sign of the lock
            break;
        case pulse_result::not_sent:
        case pulse_result::held_back:
            p.watch_until = now.mono_ms + second;  // nothing to see; try again soon
            break;
    }
}

void watch(state& s, int compartment, bool open, std::int64_t at_ms) {
    for (auto& [id, p] : s.l.running) {
        const auto o = s.d.openings.find(id);
        if (o == s.d.openings.end() || o->second.compartment != compartment || o->second.opened_at >= 0) {
            continue;
        }
        if (open && p.armed && p.seen_open < 0) {
            p.seen_open = at_ms;
        }
        p.armed = p.armed || !open;
    }
}

void advance_openings(work& w) {
    std::vector<std::int64_t> ids;
    for (const auto& [id, o] : w.s.d.openings) {
        ids.push_back(id);
    }
    for (const std::int64_t id : ids) {
        const auto at = w.s.d.openings.find(id);
        if (at == w.s.d.openings.end()) {
            continue;
        }
        if (at->second.result == outcome::pending) {
            advance_pending(w, at->second);
        } else {
            advance_concluded(w, at->second);
        }
    }
}

void recover_openings(work& w) {
    for (const auto& [id, o] : w.s.d.openings) {
        if (o.result == outcome::pending) {
            progress p;
            p.started = w.now.mono_ms;
            p.limit = w.now.mono_ms + w.config.rules.boot_wait;
            p.recovering = true;
            if (sick(canary::pulse_on_boot)) {
                p.recovering = false;
                p.not_after = INT64_MAX;
            }
            if (!o.command.empty()) {
                p.askers = {{o.command, o.reply_topic, o.correlation, 0}};
            }
            w.s.l.running[id] = p;
        }
    }
}

}  // namespace locker::core
