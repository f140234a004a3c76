#include "daemon/core/commands.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/allocation.hpp"
#include "daemon/core/credentials.hpp"
#include "daemon/core/view.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/code.hpp"
#include "protocol/command.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker::core {
namespace {

// ---- commands that are remembered: the same id and content get the same reply and no second deed

void remember(work& w, std::string_view id, const std::string& digest, const std::string& reply) {
    if (id.empty()) {
        return;
    }
    w.extra.push_back({"command", std::string(id),
                       boost::json::serialize(boost::json::object{{"digest", digest}, {"reply", reply}}),
                       w.age + limits::remembered_ms});
}

struct remembered {
    std::string digest;
    std::string reply;  // empty: its opening is not over
};

std::optional<remembered> recall(const work& w, std::string_view id) {
    const auto row = w.past.find("command", id);
    if (!row) {
        return std::nullopt;
    }
    const auto o = boost::json::parse(*row).as_object();
    return remembered{boost::json::value_to<std::string>(o.at("digest")),
                      boost::json::value_to<std::string>(o.at("reply"))};
}

// True when the id was seen before, and it has been dealt with here.
bool repeated(work& w, const command_reading& m, const asker& who) {
    const auto before = recall(w, m.id);
    if (!before) {
        return false;
    }
    if (before->digest != to_hex(m.content->digest)) {
        w.answer_error(who, malformed("id: was used for another command"));
    } else if (!before->reply.empty()) {
        w.answer(who, before->reply);
    } else {
        for (auto& [id, o] : w.s.d.openings) {
            if (o.command == m.id) {
                w.s.l.running[id].askers.push_back(who);
            }
        }
    }
    return true;
}

// ---- state of a grant's deed

struct deed {
    work& w;
    const grant& g;
    authority a;

    std::optional<refusal> compartment_deed() {
        if (w.s.d.compartments.count(a.compartment) == 0) {
            return refusal{error_code::unknown_compartment, fmt::format("cmp: there is no door {}", a.compartment)};
        }
        return std::nullopt;
    }

    std::optional<refusal> unknown_or_ended() const {
        if (w.past.find("ended", g.dep)) {
            return refusal{error_code::wrong_state, "dep: this deposit has ended"};
        }
        return refusal{error_code::unknown_deposit, "dep: no such deposit here"};
    }

    std::optional<refusal> deposit_deed() {
        if (auto* d = w.find_deposit(g.dep)) {
            if (d->state != deposit_state::reserved && d->state != deposit_state::deposited) {
                return refusal{error_code::wrong_state, fmt::format("dep: it is {} already", name(d->state))};
            }
            a.compartment = d->compartment;
            return hindrance(w, a.compartment);
        }
        if (w.past.find("ended", g.dep)) {
            return refusal{error_code::wrong_state, "dep: this deposit has ended; an id is never used again"};
        }
        if (w.s.l.space_low) {
            return refusal{error_code::storage_failed, "storage is nearly full: retrievals only"};
        }
        const box_size size = g.size.value_or(box_size::small);
        a.compartment = allocate(w, {*g.kind, size, g.accessible, false});
        if (a.compartment == 0) {
            return refusal{error_code::no_vacancy, ""};
        }
        if (auto why = hindrance(w, a.compartment)) {
            return why;
        }
        deposit d;
        d.id = g.dep;
        d.kind = *g.kind;
        d.case_id = g.case_id;
        d.size = size;
        d.accessible = g.accessible;
        d.compartment = a.compartment;
        d.since = w.age;
        d.since_ms = w.wall;
        w.at(a.compartment).deposit = d.id;
        auto data = data_of(d);
        data.by = a.by;
        w.s.d.deposits[d.id] = d;
        w.say(event_type::deposit_reserved, subject_of(d.compartment), data);
        return std::nullopt;
    }

    std::optional<refusal> collect_deed() {
        const auto* d = w.find_deposit(g.dep);
        if (d == nullptr) {
            return unknown_or_ended();
        }
        if (g.cmp && *g.cmp != d->compartment) {
            return refusal{error_code::wrong_state,
                           fmt::format("cmp: the deposit lies behind door {}", d->compartment)};
        }
        a.compartment = d->compartment;
        const auto& c = w.at(d->compartment);
        a.grace = d->state == deposit_state::retrieved && c.grace_deposit == d->id && c.hold_until > w.age;
        if (!d->retrievable() && !a.grace) {
            return refusal{error_code::wrong_state, fmt::format("dep: it is {}", name(d->state))};
        }
        return hindrance(w, a.compartment);
    }

    std::optional<refusal> settle_deed() {
        a.compartment = *g.cmp;
        if (auto why = compartment_deed()) {
            return why;
        }
        const auto& c = w.at(a.compartment);
        const bool named = !c.deposit.empty() && c.deposit == g.dep;
        if (use_of(w.s.d, c) != use_state::suspected && !named) {
            return refusal{error_code::wrong_state, fmt::format("cmp: door {} is not suspected", a.compartment)};
        }
        if (named) {
            a.deposit = c.deposit;
        }
        return hindrance(w, a.compartment);
    }

    std::optional<refusal> judge() {
        switch (g.act) {
            case grant_act::deposit:
                a.what = purpose::deposit;
                a.deposit = g.dep;
                return deposit_deed();
            case grant_act::collect:
                a.what = purpose::collect;
                a.deposit = g.dep;
                return collect_deed();
            case grant_act::open: {
                a.what = purpose::open;
                a.compartment = *g.cmp;
                const auto why = compartment_deed();
                return why ? why : hindrance(w, a.compartment);
            }
            case grant_act::settle:
                a.what = purpose::settle;
                a.deposit.clear();
                return settle_deed();
            case grant_act::move:
            case grant_act::revoke:
            case grant_act::staff:
            case grant_act::roster:
            case grant_act::keys:
                break;
        }
        return refusal{error_code::not_permitted, fmt::format("act {} does not open a door", name(g.act))};
    }
};

// ---- commands without a grant

using verdict = reading<std::string>;  // the result, as JSON

verdict confirm(work& w, const confirm_args& args) {
    auto* d = w.find_deposit(args.deposit);
    if (d == nullptr || !d->live()) {
        if (d != nullptr || w.past.find("ended", args.deposit)) {
            return refusal{error_code::wrong_state, "the deposit has ended"};
        }
        return refusal{error_code::unknown_deposit, "no such deposit here"};
    }
    const std::string result = boost::json::serialize(
        boost::json::object{{"deposit", d->id}, {"state", "confirmed"}, {"compartment", d->compartment}});
    if (d->state == deposit_state::confirmed) {
        return result;  // tapped twice
    }
    // A door that nobody could see (outcome unknown or interrupted): the person's word is what there is.
    const bool unseen = d->state == deposit_state::reserved && d->unseen;
    if (d->state != deposit_state::deposited && !unseen) {
        return refusal{error_code::wrong_state, "the door was not yet opened and shut for this deposit"};
    }
    if (unseen) {
        w.say(event_type::deposit_deposited, subject_of(d->compartment), data_of(*d));
    }
    d->state = deposit_state::confirmed;
    d->since = w.age;
    d->since_ms = w.wall;
    w.say(event_type::deposit_confirmed, subject_of(d->compartment), data_of(*d));
    return result;
}

verdict cancel(work& w, const cancel_args& args) {
    auto* d = w.find_deposit(args.deposit);
    if (d == nullptr || d->state != deposit_state::reserved) {
        if (d != nullptr || w.past.find("ended", args.deposit)) {
            return refusal{error_code::wrong_state, "only a reservation can be cancelled"};
        }
        return refusal{error_code::unknown_deposit, "no such deposit here"};
    }
    for (const auto& [id, o] : w.s.d.openings) {
        if (o.deposit == d->id && o.result == outcome::pending) {
            return refusal{error_code::busy, "its door is being opened"};
        }
    }
    if (d->pulsed) {
        return refusal{error_code::wrong_state, "its door was opened: something may lie in it"};
    }
    w.say(event_type::deposit_cancelled, subject_of(d->compartment), data_of(*d));
    const std::string id = d->id;
    end_deposit(w, *d, deposit_state::cancelled, 0);
    return boost::json::serialize(boost::json::object{{"deposit", id}, {"state", "cancelled"}});
}

verdict switch_compartment(work& w, int number, const std::string& reason, bool disabled) {
    const auto at = w.s.d.compartments.find(number);
    if (at == w.s.d.compartments.end()) {
        return refusal{error_code::unknown_compartment, fmt::format("there is no door {}", number)};
    }
    const std::string result =
        boost::json::serialize(boost::json::object{{"compartment", number}, {"disabled", disabled}});
    if (at->second.disabled == disabled) {
        return result;
    }
    at->second.disabled = disabled;
    event_data data;
    data.compartment = number;
    data.reason = reason;
    w.say(disabled ? event_type::compartment_disabled : event_type::compartment_enabled, subject_of(number), data);
    return result;
}

verdict replay(const work& w, const replay_args& args) {
    const auto& head = w.s.d.m.sequence;
    const auto rows = w.past.rows(args.from, args.to, limits::replay_events);
    std::string events = "[";
    const std::string source = topics(w.config.id).root();
    for (const auto& row : rows) {
        if (events.size() > 1) {
            events += ',';
        }
        events += cloud_event(row, source);
    }
    const std::uint64_t last = rows.empty() ? args.to : rows.back().sequence;
    const bool more = !rows.empty() && last < std::min(args.to, head);
    return fmt::format(R"({{"events":{}],"next":{}}})", events, more ? '"' + padded(last + 1) + '"' : "null");
}

verdict acknowledge(work& w, const ack_args& args) {
    if (args.sequence > w.s.d.m.sequence) {
        return refusal{error_code::wrong_state, "sequence: above the ledger's head"};
    }
    w.s.d.m.acknowledged = std::max(w.s.d.m.acknowledged, args.sequence);
    return fmt::format(R"({{"sequence":"{}"}})", padded(args.sequence));
}

struct without_grant {
    work& w;
    verdict operator()(const confirm_args& a) const { return confirm(w, a); }
    verdict operator()(const cancel_args& a) const { return cancel(w, a); }
    verdict operator()(const disable_args& a) const { return switch_compartment(w, a.compartment, a.reason, true); }
    verdict operator()(const enable_args& a) const { return switch_compartment(w, a.compartment, a.reason, false); }
    verdict operator()(const snapshot_args&) const { return snapshot(w); }
    verdict operator()(const replay_args& a) const { return replay(w, a); }
    verdict operator()(const ack_args& a) const { return acknowledge(w, a); }
    verdict operator()(const auto&) const { return refusal{error_code::not_permitted, ""}; }
};

void handle_open(work& w, const command& c, const grant& g, const asker& who) {
    if (const auto why = check_grant(w, g, channel::mqtt)) {
        say_refused(w, why->code, "mqtt");
        w.answer_error(who, *why);
        return;
    }
    use_grant(w, g, who, "mqtt", who.id, to_hex(c.digest));
}

// `roster` and `keys`: the grant is the document. Verified like any other; carried out by no act this release knows.
void handle_document(work& w, const grant& g, const asker& who) {
    const refusal why = check_grant(w, g, channel::mqtt)
                            .value_or(refusal{error_code::not_permitted, "this release takes its keys from files"});
    say_refused(w, why.code, "mqtt");
    w.answer_error(who, why);
}

bool wants_grant(const command_args& args) {
    return std::holds_alternative<open_args>(args) || std::holds_alternative<roster_args>(args) ||
           std::holds_alternative<keys_args>(args);
}

// What a command carries must be readable before its time, its id or anything else is judged. The grant, where the
// command wants one.
reading<std::optional<grant>> read_carried(const command& c) {
    if (const auto* verify = std::get_if<verify_args>(&c.args)) {
        const auto code = parse_code(verify->code);
        if (!code && code.error() == error_code::malformed) {
            return malformed("args.code: nine digits are wanted");
        }
    }
    if (!wants_grant(c.args)) {
        return std::optional<grant>{};
    }
    if (c.grant.empty()) {
        return malformed("grant is missing");
    }
    auto g = read_grant(c.grant, channel::mqtt);
    if (!g) {
        return g.error();
    }
    return std::optional<grant>{std::move(*g)};
}

void carry_out(work& w, const command& c, const std::optional<grant>& g, const asker& who) {
    if (g) {
        if (std::holds_alternative<open_args>(c.args)) {
            handle_open(w, c, *g, who);
        } else {
            handle_document(w, *g, who);
        }
        return;
    }
    if (const auto* verify = std::get_if<verify_args>(&c.args)) {
        if (!w.config.rules.verify) {
            w.answer_error(who, {error_code::not_permitted, "verify is off: [mqtt] verify = true switches it on"});
            return;
        }
        try_code(w, {verify->code, verify->compartment.value_or(0), "verify", "mqtt", who.id, to_hex(c.digest), who});
        return;
    }
    const auto done = std::visit(without_grant{w}, c.args);
    const std::string reply = done ? ok_reply(who.id, *done) : error_reply(who.id, done.error(), w.config.help);
    const bool only_reads = std::holds_alternative<snapshot_args>(c.args) ||
                            std::holds_alternative<replay_args>(c.args) || std::holds_alternative<ack_args>(c.args);
    if (!only_reads) {
        remember(w, who.id, to_hex(c.digest), reply);
    }
    w.answer(who, reply);
}

}  // namespace

reading<grant> read_grant(std::string_view token, channel from) {
    auto g = parse_grant(token);
    const std::int64_t life = from == channel::mqtt ? limits::grant_mqtt_life_s : limits::grant_local_life_s;
    if (g && g->exp - g->iat > life) {
        return malformed(fmt::format("grant: exp - iat is at most {} s on this channel", life));
    }
    return g;
}

std::optional<refusal> check_grant(work& w, const grant& g, channel from) {
    const auto* key = w.config.ring.find(g.kid);
    if (key == nullptr) {
        return refusal{error_code::unknown_key, "kid: not in the ring of issuer keys"};
    }
    if (!verify_signature(g, *key)) {
        return refusal{error_code::bad_signature, ""};
    }
    if (g.aud != w.config.id) {
        return refusal{error_code::wrong_audience, "aud: not this cabinet"};
    }
    const bool earlier_start = g.epoch && g.epoch != w.s.l.epoch && !sick(canary::old_epochs_open);
    const bool for_the_front = !g.epoch && !sick(canary::any_channel);
    if (from == channel::mqtt && (earlier_start || for_the_front)) {
        return refusal{error_code::stale_epoch, "epoch: must be the one in `status`"};
    }
    if (from == channel::local && g.epoch && !sick(canary::any_channel)) {
        return refusal{error_code::stale_epoch, "epoch: a grant with one is for MQTT only"};
    }
    std::int64_t now_s = w.wall / 1000;
    if (w.s.l.clock_trusted) {
        if (g.iat > now_s + limits::grant_leeway_s || g.nbf.value_or(0) > now_s + limits::grant_leeway_s) {
            return refusal{error_code::not_yet_valid, ""};
        }
    } else {
        now_s = std::max(now_s, g.iat);  // the issuer's clock is the better one
    }
    if (now_s >= g.exp && !sick(canary::expired_grants_open)) {
        return refusal{error_code::expired, "grant: exp is past"};
    }
    if (w.past.find("grant", g.jti) && !sick(canary::grants_used_twice)) {
        return refusal{error_code::replayed, "jti: used already"};
    }
    if (std::find(key->acts.begin(), key->acts.end(), g.act) == key->acts.end()) {
        return refusal{error_code::not_permitted, fmt::format("this key may not sign act {}", name(g.act))};
    }
    if (g.iat * 1000 > w.s.l.iat_ms + (w.age - w.s.l.iat_age)) {
        w.s.l.iat_ms = g.iat * 1000;  // the floor itself rises from trusted time only
        w.s.l.iat_age = w.age;
        w.wall = judged_time(w.s, w.now, w.age);
    }
    return std::nullopt;
}

void use_grant(work& w, const grant& g, const asker& who, std::string_view via, std::string_view command,
               const std::string& digest) {
    deed d{w, g, {}};
    d.a.by = "grant:" + g.jti;
    d.a.via = via;
    d.a.who = who;
    d.a.command = command;
    d.a.valid_for = g.exp * 1000 - w.wall;
    if (const auto why = d.judge()) {
        say_refused(w, why->code, via, d.a.compartment);
        remember(w, command, digest, error_reply(who.id, *why, w.config.help));
        w.answer_error(who, *why);
        return;
    }
    // Kept until it has expired and 30 days more: no clock that is set back makes it new.
    w.extra.push_back({"grant", g.jti, "{}", g.exp * 1000 + 30 * day});
    remember(w, command, digest, "");
    authorise(w, d.a);
}

void finish_opening(work& w, const opening& o, const std::optional<refusal>& why) {
    const auto result = boost::json::serialize(
        boost::json::object{{"opening", o.id}, {"compartment", o.compartment}, {"outcome", name(o.result)}});
    const auto reply_for = [&](std::string_view id) {
        return why ? error_reply(id, *why, w.config.help) : ok_reply(id, result);
    };
    if (!o.command.empty()) {
        const auto before = recall(w, o.command);
        if (before) {
            remember(w, o.command, before->digest, reply_for(o.command));
        }
    }
    auto& askers = w.s.l.running[o.id].askers;
    for (const auto& who : askers) {
        w.answer(who, reply_for(who.id));
    }
    askers.clear();
}

void handle_command(work& w, std::string_view name, const message& m) {
    const auto parsed = parse_command(name, m.payload);
    const topics t(w.config.id);
    asker who{parsed.id, m.response_topic, m.correlation, 0};
    if (who.topic.empty()) {
        who.topic = parsed.reply_to.value_or("");
    }
    const bool good_topic = who.topic.empty() || t.is_reply(who.topic);
    if (!good_topic || parsed.id.empty()) {
        who.topic.clear();  // nothing is sent elsewhere, nor without an id
    }
    if (m.retained) {
        w.count("commands.retained");
        say_refused(w, error_code::retained, "mqtt");
        w.answer_error(who, {error_code::retained, "the message was retained by the broker"});
        return;
    }
    if (!parsed.content || !good_topic) {
        w.count("commands.malformed");
        w.answer_error(
            who, parsed.content ? malformed("reply_to: not below the cabinet's own reply/") : parsed.content.error());
        return;
    }
    if (m.overload) {
        w.count("commands.overload");
        w.answer_error(who, {error_code::busy, "too many commands wait"});
        return;
    }
    const auto carried = read_carried(*parsed.content);
    if (!carried) {
        w.count("commands.malformed");
        w.answer_error(who, carried.error());
        return;
    }
    if (repeated(w, parsed, who)) {
        return;
    }
    if (w.wall >= parsed.content->expires_at_ms) {
        w.count("commands.expired");
        w.answer_error(who, {error_code::expired, "expires_at is past"});
        return;
    }
    carry_out(w, *parsed.content, *carried, who);
}

}  // namespace locker::core
