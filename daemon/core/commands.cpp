#include "daemon/core/commands.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/credentials.hpp"
#include "daemon/core/deposits.hpp"
#include "daemon/core/grants.hpp"
#include "daemon/core/replies.hpp"
#include "daemon/core/view.hpp"
#include "protocol/code.hpp"
#include "protocol/command.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker::core {
namespace {

// ---- commands without a grant

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
        if (ledger_hash(row) != row.hash) {
            continue;  // a damaged disk: nobody is told what was never so
        }
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
    verdict operator()(const confirm_args& a) const { return confirm_deposit(w, a.deposit, ""); }
    verdict operator()(const cancel_args& a) const { return cancel_deposit(w, a.deposit); }
    verdict operator()(const disable_args& a) const { return switch_compartment(w, a.compartment, a.reason, true); }
    verdict operator()(const enable_args& a) const { return switch_compartment(w, a.compartment, a.reason, false); }
    verdict operator()(const snapshot_args&) const { return snapshot(w); }
    verdict operator()(const replay_args& a) const { return replay(w, a); }
    verdict operator()(const ack_args& a) const { return acknowledge(w, a); }
    verdict operator()(const auto&) const { return refusal{error_code::not_permitted, ""}; }
};

bool wants_grant(const command_args& args) {
    return std::holds_alternative<open_args>(args) || std::holds_alternative<roster_args>(args) ||
           std::holds_alternative<keys_args>(args);
}

struct carried {
    std::optional<grant> g;
    std::optional<grant> second;
};

// What a command carries must be readable before its time, its id or anything else is judged: the grants, where the
// command wants one.
reading<carried> read_carried(const command& c) {
    if (const auto* verify = std::get_if<verify_args>(&c.args)) {
        const auto code = parse_code(verify->code);
        if (!code && code.error() == error_code::malformed) {
            return malformed("args.code: nine digits are wanted");
        }
    }
    carried out;
    if (!wants_grant(c.args)) {
        return out;
    }
    if (c.grant.empty()) {
        return malformed("grant is missing");
    }
    auto g = read_grant(c.grant, channel::mqtt);
    if (!g) {
        return g.error();
    }
    out.g = std::move(*g);
    if (const auto* open = std::get_if<open_args>(&c.args); open != nullptr && open->second_grant) {
        auto second = read_grant(*open->second_grant, channel::mqtt);
        if (!second) {
            return malformed("args.second_grant: " + second.error().detail);
        }
        out.second = std::move(*second);
    }
    return out;
}

void carry_out(work& w, const command& c, const carried& with, const asker& who) {
    if (with.g) {
        const presented p{*with.g, with.second, channel::mqtt, "mqtt", 0, who.id, to_hex(c.digest), who};
        if (std::holds_alternative<open_args>(c.args)) {
            present(w, p);
        } else {
            present_document(w, p, std::holds_alternative<roster_args>(c.args) ? grant_act::roster : grant_act::keys);
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
    // A ring that is to mend the time is not late by the time that it mends.
    const bool mends = std::holds_alternative<keys_args>(parsed.content->args);
    if ((mends ? std::min(w.now.wall_ms, w.wall) : w.wall) >= parsed.content->expires_at_ms) {
        w.count("commands.expired");
        w.answer_error(who, {error_code::expired, "expires_at is past"});
        return;
    }
    carry_out(w, *parsed.content, *carried, who);
}

}  // namespace locker::core
