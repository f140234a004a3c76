#include "daemon/core/cabinet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "daemon/core/commands.hpp"
#include "daemon/core/credentials.hpp"
#include "daemon/core/deposits.hpp"
#include "daemon/core/doors.hpp"
#include "daemon/core/examine.hpp"
#include "daemon/core/grants.hpp"
#include "daemon/core/locks.hpp"
#include "daemon/core/openings.hpp"
#include "daemon/core/ops.hpp"
#include "daemon/core/retention.hpp"
#include "daemon/core/rows.hpp"
#include "daemon/core/sensors.hpp"
#include "daemon/core/staff.hpp"
#include "daemon/core/timekeeping.hpp"
#include "daemon/core/work.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/code.hpp"
#include "protocol/command.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker::core {
namespace {

constexpr std::int64_t storage_retry = second;

[[noreturn]] void broken(const char* what) {
    throw std::logic_error(std::string("core: ") + what);
}

// Somebody waits for an answer: such an input is tried even while the store fails.
bool is_request(const input& in) {
    return std::holds_alternative<message>(in) || std::holds_alternative<entry>(in) ||
           std::holds_alternative<ops_order>(in);
}

void refuse_request(work& w, const input& in, const refusal& why) {
    if (const auto* e = std::get_if<entry>(&in)) {
        w.answer_error(asker_of(e->id), why);
    } else if (const auto* order = std::get_if<ops_order>(&in)) {
        w.answer_error(asker_of(order->id), why);
    } else if (const auto* m = std::get_if<message>(&in)) {
        const auto parsed = parse_command("", m->payload);
        const std::string topic = m->response_topic.empty() ? parsed.reply_to.value_or("") : m->response_topic;
        if (!parsed.id.empty() && topics(w.config.id).is_reply(topic)) {
            w.answer_error({parsed.id, topic, m->correlation, 0}, why);
        }
    }
}

// ---- inputs that change the draft

void handle_request(work& w, const input& in) {
    if (const auto* e = std::get_if<entry>(&in)) {
        handle_entry(w, *e);
    } else if (const auto* m = std::get_if<message>(&in)) {
        if (const auto name = topics(w.config.id).command_of(m->topic)) {
            handle_command(w, *name, *m);
        }
    } else if (const auto* order = std::get_if<ops_order>(&in)) {
        const auto done = obey(w, *order);
        w.answer(asker_of(order->id), done ? ok_reply("", *done) : error_reply("", done.error(), w.config.help));
    }
}

// A database that knows none of today's keys was restored, or came with another board: what it says of the
// compartments is old. A rotation keeps one of two generations.
void know_keys(work& w) {
    auto& m = w.s.d.m;
    std::vector<std::string> ids;
    for (const auto& key : w.config.cabinet_keys) {
        ids.push_back(key_id(key));
    }
    const bool known = std::any_of(ids.begin(), ids.end(), [&](const auto& id) {
        return std::find(m.key_ids.begin(), m.key_ids.end(), id) != m.key_ids.end();
    });
    if (!m.key_ids.empty() && !known) {
        for (auto& [n, c] : w.s.d.compartments) {
            suspect(w, c, "the cabinet's keys are new: its database was restored or its board replaced");
        }
        m.restored = true;
    }
    m.key_ids = std::move(ids);
    m.cabinet = w.config.id;
}

void take_start(work& w, const started& in, bool ledger_broken) {
    w.s.l.started_ms = w.wall;
    for (const auto& c : w.config.compartments) {
        w.s.d.compartments.try_emplace(c.number).first->second.number = c.number;
    }
    if (ledger_broken && w.s.d.m.ledger_broken_ms == 0) {
        w.s.d.m.ledger_broken_ms = w.wall;
        w.note_line(note::level::error, "event=ledger_broken");
    }
    if (w.config.ring.version > w.s.d.ring->version || w.s.d.ring->version == 0) {
        w.s.d.ring = std::make_shared<const key_ring>(w.config.ring);
    }
    recover_openings(w);
    know_keys(w);
    event_data data;
    data.version = w.config.version;
    data.epoch = in.epoch;
    w.say(event_type::daemon_started, "", data);
    w.s.l.clock_said = true;  // an untrusted clock is said, a trusted one is what one expects
}

void say_board(work& w, board_watch& b, const std::string& name) {
    if (b.present == b.said || (b.present && !w.due(b.changed + b.steady))) {
        return;
    }
    event_data data;
    data.board = name;
    b.said = b.present;
    if (b.present) {
        b.recovered = w.now.mono_ms;
        data.out_ms = b.changed - b.lost_at;
    } else {
        const bool again = b.recovered >= 0 && b.changed - b.recovered < minute;
        b.steady = again ? std::clamp(b.steady * 2, second, minute) : 0;
        b.lost_at = b.changed;
    }
    w.say(b.present ? event_type::board_recovered : event_type::board_lost, "board/" + name, data);
}

// Facts that changed and were not yet said: boards, clock, space.
void say_facts(work& w) {
    auto& l = w.s.l;
    for (std::size_t i = 0; i < l.boards.size(); ++i) {
        say_board(w, l.boards[i], w.config.boards[i]);
    }
    if (clock_tells(w) != l.clock_said) {
        l.clock_said = !l.clock_said;
        w.say(l.clock_said ? event_type::clock_trusted : event_type::clock_untrusted, "", {});
    }
    if (w.s.d.m.restored && clock_tells(w)) {
        w.s.d.m.restored = false;
        revoke_grants_before(w, w.wall / 1000 + 1, "");  // of this second, too
    }
    if (l.space_low != l.space_said) {
        l.space_said = l.space_low;
        if (l.space_low) {
            w.say(event_type::storage_low, "", {});
        }
    }
    if (steps_ahead(w.s, w.now, w.age) || lies_behind(w.s, w.now, w.age)) {
        if (!l.step_said) {
            l.step_said = true;
            event_data data;
            data.step_ms = w.now.wall_ms - floor_now(w.s.d.m, w.age);
            w.say(event_type::clock_stepped, "", data);
        }
    } else {
        l.step_said = false;
    }
    if (lies_behind(w.s, w.now, w.age)) {  // the gap closes at half speed
        (void)w.due(w.now.mono_ms + second + 2 * (floor_now(w.s.d.m, w.age) - minute - w.now.wall_ms));
    }
}

// Their alarms end then.
void advance_throttles(work& w) {
    for (const auto& [name, t] : w.s.d.throttles) {
        if (t.locked_out(w.age)) {
            (void)w.due_age(t.free_again(w.age));
        }
        if (t.guessing_alarm(w.age)) {
            (void)w.due_age(t.charges.front() + day + 1);
        }
    }
}

void advance(work& w) {
    std::size_t said = 0;
    do {  // an outcome may bring a next thing about; each round says at least one event
        said = w.rows.size();
        advance_openings(w);
        advance_doors(w);
        advance_deposits(w);
        advance_throttles(w);
        advance_sessions(w);
        advance_first_grants(w);
        advance_sensors(w);
        advance_retention(w);
        say_counted_refusals(w);
        say_facts(w);
    } while (w.rows.size() != said);
    std::erase_if(w.s.l.running, [&](const auto& p) { return w.s.d.openings.count(p.first) == 0; });
}

// `since` of what people see of a compartment.
void stamp_changes(work& w, const state& before) {
    for (auto& [n, c] : w.s.d.compartments) {
        const auto old = before.d.compartments.find(n);
        if (old == before.d.compartments.end()) {
            c.since_ms = w.wall;
            continue;
        }
        const auto& o = old->second;
        if (use_of(w.s.d, c) != use_of(before.d, o) || c.door != o.door || c.lock != o.lock || c.deposit != o.deposit) {
            c.since_ms = w.wall;
        }
    }
}

}  // namespace

cabinet::cabinet(cabinet_config config, const archive& past) : config_(std::move(config)), past_(past) {
    auto found = examine(config_, past);
    state_.d = std::move(found.content);
    ledger_broken_ = !found.ledger_holds;
    state_.l.boards.resize(config_.boards.size());
}

cabinet::~cabinet() = default;

std::int64_t cabinet::age(moment now) const {
    return age_base_ + (now.mono_ms - mono_base_);
}

void cabinet::begin(moment now, const started& in) {
    auto& m = state_.d.m;
    std::int64_t away = 0;
    if (m.boot == in.boot) {
        away = now.mono_ms - m.mono_ms;
    } else if (m.trusted && in.clock_trusted) {
        // Across boots a trusted clock alone tells how long it was off; a day of it is believed in all until a
        // signature confirms the clock, as with the floor.
        away = std::clamp<std::int64_t>(now.wall_ms - m.wall_ms, 0, std::max<std::int64_t>(0, day - m.away_ms));
        m.away_ms += away;
    }
    age_base_ = m.age + std::max<std::int64_t>(0, away);
    mono_base_ = now.mono_ms;
    auto& l = state_.l;
    l.epoch = in.epoch;
    l.boot = in.boot;
    l.clock_trusted = in.clock_trusted;
    l.clock_known = true;
    l.started_mono = now.mono_ms;
    sent_ = m.published;
}

void cabinet::see(moment now, const input& fact) {
    learn(now, fact);
    facts_wait_ = true;
}

// Facts about the world hold whether or not a commit succeeds.
void cabinet::learn(moment now, const input& in) {
    auto& l = state_.l;
    const std::int64_t wall = judged_time(state_, now, age(now));
    if (const auto* inputs = std::get_if<inputs_report>(&in)) {
        for (const auto& c : config_.compartments) {
            if (c.contact == contact_kind::none || c.contact_board != inputs->board) {
                continue;
            }
            const bool level = ((inputs->bits >> static_cast<unsigned>(c.contact_channel)) & 1U) != 0;
            const bool open = level != c.closed_level;
            auto& contact = l.contacts[c.number];
            if (!contact.known || contact.open != open) {
                contact = {true, open, inputs->at_ms, !contact.known};
            }
            watch(state_, c.number, open, inputs->at_ms);
        }
        for (const auto& s : config_.sensors) {
            if (s.board != inputs->board) {
                continue;
            }
            const bool level = ((inputs->bits >> static_cast<unsigned>(s.channel)) & 1U) != 0;
            auto& reads = l.sensors[s.kind];
            if (!reads.known || reads.open != (level == s.trouble_level)) {
                reads = {true, level == s.trouble_level, inputs->at_ms, !reads.known};
            }
        }
    } else if (const auto* report = std::get_if<pulse_report>(&in)) {
        take(state_, now, config_.rules, *report);
    } else if (std::holds_alternative<stop>(in)) {
        l.stopping = true;  // told to the broker whether or not it can be recorded
    } else if (const auto* clock = std::get_if<clock_report>(&in)) {
        l.clock_trusted = clock->trusted;
    } else if (const auto* space = std::get_if<space_report>(&in)) {
        if ((space->low || space->worn) && !l.space_low && !l.medium_worn && !l.storage_failed) {
            l.storage_since_ms = wall;
        }
        l.space_low = space->low;
        l.medium_worn = space->worn;
    } else if (const auto* board = std::get_if<board_report>(&in)) {
        auto& b = l.boards.at(static_cast<std::size_t>(board->board));
        if (b.present != board->present) {
            b.present = board->present;
            b.changed = now.mono_ms;
            if (!b.present && b.said) {
                b.lost_ms = wall;
            }
            for (const auto& c : config_.compartments) {
                if (c.contact_board == board->board) {
                    l.contacts.erase(c.number);  // what it said before the gap is no proof of anything
                }
            }
            for (const auto& s : config_.sensors) {
                if (s.board == board->board) {
                    l.sensors.erase(s.kind);
                }
            }
        }
    } else if (std::holds_alternative<broker_up>(in)) {
        l.broker_up = true;
        acknowledged_.clear();
        sent_ = state_.d.m.published;
    } else if (std::holds_alternative<broker_down>(in)) {
        l.broker_up = false;
        retained_.clear();
    } else if (const auto* ack = std::get_if<event_acknowledged>(&in)) {
        move_mark(ack->sequence);
    } else if (const auto* said = std::get_if<message>(&in)) {
        // What the broker keeps under our topics and we would not send now: a stale will, an alarm of an earlier run.
        // Our own messages on their way back (MQTT 3.1.1 has no "no local") are not that: heeding them would answer
        // each late echo with another message, for ever.
        const topics t(config_.id);
        const bool will = said->topic == t.status() && said->payload == offline_status;
        // They come with the subscriptions, before the connection counts as up.
        if (will || (said->retained && (said->topic == t.status() || t.is_alarm(said->topic)))) {
            const auto at = retained_.find(said->topic);
            if (said->payload != (at == retained_.end() ? "" : at->second)) {
                retained_[said->topic] = said->payload;  // as the broker holds it: refresh_retained mends it
            }
        }
    }
}

effects cabinet::step(moment now, const input& in) {
    if (const auto* done = std::get_if<commit_done>(&in)) {
        if (!pending_) {
            broken("commit_done without a commit");
        }
        return committed(now, *done);
    }
    if (pending_) {
        broken("an input while a commit is under way");
    }
    const auto* start = std::get_if<started>(&in);
    if (start != nullptr) {
        begin(now, *start);
    }
    learn(now, in);
    if (start != nullptr) {
        unstarted_ = *start;
    }
    if (std::holds_alternative<event_acknowledged>(in) && state_.l.broker_up && !unstarted_ && !facts_wait_ &&
        now.mono_ms < wake_at_) {
        effects next;  // nothing is decided: the mark rides on the next commit
        fill_outbox(next);
        return next;
    }
    if (unstarted_ || state_.l.stopping) {
        if (is_request(in)) {  // nothing is opened before doors were read for what was left open, nor after the end
            work w(config_, past_, state_, now, age(now));
            refuse_request(w, in,
                           unstarted_ ? refusal{error_code::storage_failed, "nothing was done"}
                                      : refusal{error_code::busy, "the cabinet is being stopped"});
            return std::move(w.after);
        }
    }

    work w(config_, past_, state_, now, age(now));
    try {
        const bool probing = state_.l.storage_failed && (is_request(in) || now.mono_ms >= state_.l.retry_at);
        if (probing) {
            // Said by the first commit that works again; meanwhile it is the try.
            w.say(event_type::storage_failed, "", {});
            w.s.l.storage_failed = false;
        }
        if (probing && is_request(in)) {
            if (auto read = only_reads(now, in)) {
                return std::move(*read);
            }
        }
        if (unstarted_) {
            take_start(w, *unstarted_, ledger_broken_);
        } else if (is_request(in)) {
            advance_openings(w);  // whoever asks is judged by what is so now, also when a tick is late
            advance_sessions(w);
            advance_first_grants(w);
            handle_request(w, in);
        } else if (const auto* gone = std::get_if<terminal_gone>(&in)) {
            end_session(w, gone->terminal, "gone");
        } else if (std::holds_alternative<stop>(in)) {
            w.say(event_type::daemon_stopping, "", {});
        }
        advance(w);
        facts_wait_ = false;
    } catch (const archive_error&) {
        return not_committed(now, commit_error::failed, in);
    }
    return conclude(std::move(w), in);
}

// What only reads is answered while nothing can be recorded: the request alone, without what time would bring about.
std::optional<effects> cabinet::only_reads(moment now, const input& in) const {
    work w(config_, past_, state_, now, age(now));
    handle_request(w, in);
    const bool keeps = w.s.d.m.acknowledged != state_.d.m.acknowledged || w.s.d.m.told_ms != state_.d.m.told_ms ||
                       w.s.l.first_grants.size() != state_.l.first_grants.size();
    w.s.d.m = state_.d.m;
    const bool acts = keeps || std::any_of(w.after.begin(), w.after.end(),
                                           [](const auto& e) { return std::holds_alternative<pulse>(e); });
    if (unstarted_ || acts || !w.rows.empty() || !w.extra.empty() || !difference(state_.d, w.s.d).empty()) {
        return std::nullopt;
    }
    return std::move(w.after);
}

effects cabinet::conclude(work&& w, const input& in) {
    stamp_changes(w, state_);
    auto& m = w.s.d.m;
    const auto mark = m;
    m = state_.d.m;  // compare what matters: the mark and the stamp ride along, they are no reason to write
    auto writes = difference(state_.d, w.s.d);
    m = mark;
    // On a quiet night time is kept within the hour: no power cut takes more of it back.
    const bool time_to_keep = w.due_age(m.age + hour) || m.told_ms != state_.d.m.told_ms;
    if (writes.empty() && w.rows.empty() && w.extra.empty() && !time_to_keep) {
        state_ = std::move(w.s);
        return settle(w);
    }
    if (state_.l.storage_failed && !is_request(in) && w.now.mono_ms < state_.l.retry_at) {
        wake_at_ = state_.l.retry_at;  // not the deadline that is past: it cannot be met before then
        return {};
    }
    m.age = w.age;
    m.mono_ms = w.now.mono_ms;
    m.wall_ms = w.now.wall_ms;
    m.boot = w.s.l.boot;
    m.trusted = w.s.l.clock_trusted;
    transaction tx;
    tx.hint = w.hint_only && w.rows.empty() && w.extra.empty() && !is_request(in);
    tx.writes = difference(state_.d, w.s.d);
    tx.rows = w.rows;
    tx.forget_through = w.forget_through;
    for (auto& row : w.extra) {
        if (row.kind == "command") {
            tx.prunes.push_back({row.kind, w.age, limits::remembered_commands});
        } else if (row.kind == "grant" && w.age >= m.grants_kept_until) {
            tx.prunes.push_back({row.kind, w.age, UINT64_MAX});
        }
        tx.writes.push_back(row);
    }
    pending_input_ = in;
    pending_ = std::make_unique<work>(std::move(w));
    return {commit{std::move(tx)}};
}

effects cabinet::committed(moment now, const commit_done& done) {
    const auto w = std::move(pending_);
    const input in = std::move(*pending_input_);
    pending_input_.reset();
    if (done.error != commit_error::none) {
        auto out = not_committed(now, done.error, in);
        if (sick(canary::pulse_before_commit)) {
            out.insert(out.end(), w->after.begin(), w->after.end());
        }
        return out;
    }
    state_ = std::move(w->s);
    unstarted_.reset();
    return settle(*w);
}

effects cabinet::not_committed(moment now, commit_error error, const input& in) {
    auto& l = state_.l;
    work w(config_, past_, state_, now, age(now));
    if (!l.storage_failed) {
        w.note_line(note::level::error, error == commit_error::full ? "event=storage_failed reason=full"
                                                                    : "event=storage_failed reason=io");
        w.s.l.storage_since_ms = w.wall;
    }
    w.s.l.storage_failed = true;
    w.s.l.retry_at = now.mono_ms + storage_retry;
    refuse_request(w, in, {error_code::storage_failed, "nothing was done"});
    state_.l = w.s.l;
    wake_at_ = w.s.l.retry_at;
    effects out = std::move(w.after);
    refresh_retained(w, out);
    return out;
}

// Everything is on disk: now act, tell, and look ahead.
effects cabinet::settle(work& w) {
    effects out = std::move(w.after);
    wake_at_ = w.wake;
    if (state_.l.refusals_due != 0) {
        wake_at_ = std::min(wake_at_, state_.l.refusals_due);
    }
    if (state_.l.broker_up) {
        refresh_retained(work(config_, past_, state_, w.now, w.age), out);
        fill_outbox(out);
    }
    return out;
}

void cabinet::refresh_retained(const work& w, effects& out) {
    if (!state_.l.broker_up || unstarted_) {
        return;
    }
    auto wanted = retained_view(w, encodings_);
    for (const auto& [topic, payload] : retained_) {
        if (!payload.empty() && wanted.count(topic) == 0) {
            out.push_back(publish{topic, "", 1, true, "", 0});
        }
    }
    for (const auto& [topic, payload] : wanted) {
        const auto at = retained_.find(topic);
        if (at == retained_.end() || at->second != payload) {
            out.push_back(publish{topic, payload, 1, true, "", 0});
        }
    }
    retained_ = std::move(wanted);
}

// The broker has that one: the mark is where all before it are.
void cabinet::move_mark(std::uint64_t sequence) {
    acknowledged_.insert(sequence);
    while (!acknowledged_.empty() && *acknowledged_.begin() <= state_.d.m.published + 1) {
        state_.d.m.published = std::max(state_.d.m.published, *acknowledged_.begin());
        acknowledged_.erase(acknowledged_.begin());
    }
}

void cabinet::fill_outbox(effects& out) {
    const std::uint64_t head = state_.d.m.sequence;
    const std::uint64_t in_flight = sent_ - state_.d.m.published;
    if (sent_ >= head || in_flight >= limits::events_in_flight) {
        return;
    }
    const topics t(config_.id);
    std::vector<ledger_row> rows;
    try {
        rows = past_.rows(sent_ + 1, head, limits::events_in_flight - in_flight);
    } catch (const archive_error&) {
        out.push_back(note{note::level::error, "event=outbox_unreadable"});
        return;  // tried again with the next input
    }
    for (const auto& row : rows) {
        if (ledger_hash(row) != row.hash) {  // a damaged disk: nobody is told what was never so
            out.push_back(note{note::level::error, fmt::format("event=row_damaged sequence={}", row.sequence)});
            sent_ = row.sequence;
            move_mark(row.sequence);
            continue;
        }
        out.push_back(publish{t.event(row.type), cloud_event(row, t.root()), 1, false, "", row.sequence});
        sent_ = row.sequence;
    }
    if (sick(canary::mark_without_ack)) {
        state_.d.m.published = sent_;
    }
}

std::string cabinet::health(moment now) const {
    return health_json(work(config_, past_, state_, now, age(now)));
}

std::string cabinet::snapshot(moment now) const {
    return core::snapshot(work(config_, past_, state_, now, age(now)));
}

}  // namespace locker::core
