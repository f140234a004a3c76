#include "daemon/core/grants.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/deposits.hpp"
#include "daemon/core/replies.hpp"
#include "daemon/core/staff.hpp"
#include "daemon/core/timekeeping.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/code.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"
#include "protocol/timestamp.hpp"

namespace locker::core {
namespace {

using boost::json::object;

constexpr std::int64_t pair_within = 2 * minute;

bool is_root(const work& w, const grant& g) {
    return w.config.root && w.config.root->kid == g.kid;
}

const issuer_key* key_of(const work& w, const grant& g) {
    if (is_root(w, g)) {
        return &*w.config.root;
    }
    const auto* key = w.s.d.ring->find(g.kid);
    if (key == nullptr && sick(canary::revoked_keys_sign)) {
        key = w.config.ring.find(g.kid);
    }
    return key;
}

// A ring that the root key signed mends a floor that is too high: the trusted clock and the signature agree on the
// time. Without such a clock nothing tells a floor that is wrong from a ring that was held back.
bool mends_time(const work& w, const grant& g) {
    const std::int64_t raw_s = w.now.wall_ms / 1000;
    return is_root(w, g) && g.act == grant_act::keys && lies_behind(w.s, w.now, w.age) &&
           g.iat <= raw_s + limits::grant_leeway_s && raw_s < g.exp;
}

std::optional<refusal> check_time(const work& w, const grant& g) {
    std::int64_t now_s = w.wall / 1000;
    if (clock_tells(w)) {
        if (g.iat > now_s + limits::grant_leeway_s || g.nbf.value_or(0) > now_s + limits::grant_leeway_s) {
            return refusal{error_code::not_yet_valid, ""};
        }
    } else {
        now_s = std::max(now_s, g.iat);  // the issuer's clock is the better one
    }
    if (now_s >= g.exp && !mends_time(w, g) && !sick(canary::expired_grants_open)) {
        return refusal{error_code::expired, "grant: exp is past"};
    }
    if (g.iat < w.s.d.m.grants_before_s && !is_root(w, g) && !sick(canary::revoked_grants_open)) {
        return refusal{error_code::expired, "grant: issued before all such grants were revoked"};
    }
    return std::nullopt;
}

std::optional<refusal> check_channel(const work& w, const grant& g, channel from) {
    const bool earlier_start = g.epoch && g.epoch != w.s.l.epoch && !sick(canary::old_epochs_open);
    const bool for_the_front = !g.epoch && !sick(canary::any_channel);
    if (from == channel::mqtt && (earlier_start || for_the_front)) {
        return refusal{error_code::stale_epoch, "epoch: must be the one in `status`"};
    }
    if (from == channel::local && g.epoch && !sick(canary::any_channel)) {
        return refusal{error_code::stale_epoch, "epoch: a grant with one is for MQTT only"};
    }
    return std::nullopt;
}

// All that the contract checks before state.
std::optional<refusal> check(work& w, const grant& g, channel from) {
    const auto* key = key_of(w, g);
    if (key == nullptr) {
        return refusal{error_code::unknown_key, "kid: not in the ring of issuer keys"};
    }
    if (!verify_signature(g, *key)) {
        return refusal{error_code::bad_signature, ""};
    }
    if (g.aud != w.config.id) {
        return refusal{error_code::wrong_audience, "aud: not this cabinet"};
    }
    if (auto why = check_channel(w, g, from)) {
        return why;
    }
    if (auto why = check_time(w, g)) {
        return why;
    }
    if (w.past.find("grant", g.jti) && !sick(canary::grants_used_twice)) {
        return refusal{error_code::replayed, "jti: used already"};
    }
    if (!key->may_sign(g.act) || (g.act == grant_act::keys && !is_root(w, g))) {
        return refusal{error_code::not_permitted, fmt::format("this key may not sign act {}", name(g.act))};
    }
    if (auto why = suspension(w, g.sub, g.act == grant_act::staff)) {
        return why;
    }
    signed_time(w, g.iat);
    return std::nullopt;
}

warrant warrant_of(const work& w, const grant& g) {
    return {"", g.sub, g.kid, key_of(w, g)->public_key, g.act, g.iat};
}

// Kept until it has expired and 30 days more, by the cabinet's age: no clock makes it new.
void consume(work& w, const grant& g) {
    w.extra.push_back({"grant", g.jti, "{}", w.age + std::max<std::int64_t>(0, g.exp * 1000 - w.wall) + 30 * day});
}

void refuse(work& w, const presented& p, const refusal& why, int compartment = 0) {
    say_refused(w, why.code, p.via, compartment);
    if (why.code == error_code::not_permitted || why.code == error_code::suspended) {  // it was verified
        remember(w, p.command, p.digest, error_reply(p.who.id, why, w.config.help));
    }
    w.answer_error(p.who, why);
}

// ---- what opens a door

struct deed {
    work& w;
    const grant& g;
    authority a;

    std::optional<refusal> deposit_deed() {
        const auto place = place_for(
            w, {g.dep, *g.kind, g.case_id, g.size.value_or(box_size::small), g.accessible, g.cmp.value_or(0), a.by});
        if (!place) {
            return place.error();
        }
        a.what = purpose::deposit;
        a.deposit = g.dep;
        a.compartment = *place;
        return std::nullopt;
    }

    std::optional<refusal> collect_deed() {
        const auto* d = w.find_deposit(g.dep);
        if (d == nullptr) {
            return unknown_or_ended(w, g.dep);
        }
        if (g.cmp && *g.cmp != d->compartment) {
            return refusal{error_code::wrong_state,
                           fmt::format("cmp: the deposit lies behind door {}", d->compartment)};
        }
        a.what = purpose::collect;
        a.deposit = g.dep;
        a.compartment = d->compartment;
        a.grace = in_grace(w, *d);
        if (d->state == deposit_state::reclaimed) {
            return with_the_staff();
        }
        if (!d->retrievable() && !a.grace) {
            return refusal{error_code::wrong_state, fmt::format("dep: it is {}", name(d->state))};
        }
        return hindrance(w, a.compartment);
    }

    std::optional<refusal> door_deed() {
        a.compartment = *g.cmp;
        if (w.s.d.compartments.count(a.compartment) == 0) {
            return refusal{error_code::unknown_compartment, fmt::format("cmp: there is no door {}", a.compartment)};
        }
        if (g.act == grant_act::open) {
            a.what = purpose::open;
            return hindrance(w, a.compartment);
        }
        a.what = purpose::settle;
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
                return deposit_deed();
            case grant_act::collect:
                return collect_deed();
            default:
                return door_deed();
        }
    }
};

bool opens_a_door(grant_act act) {
    return act == grant_act::deposit || act == grant_act::collect || act == grant_act::open || act == grant_act::settle;
}

const sentence no_clock{"柜机时间未同步，暂时不能使用凭证，请联系运维人员。",
                        "This cabinet does not know the time: grants wait. Tell operations."};

// What opens a door, now or through a session, where the policy wants a clock for it.
std::optional<refusal> needs_clock(const work& w, const presented& p) {
    const bool concerned = opens_a_door(p.g.act) || p.g.act == grant_act::move ||
                           (p.g.act == grant_act::staff && p.from == channel::local);
    if (concerned && w.config.rules.grants_need_clock && !clock_tells(w)) {
        return refusal{error_code::clock_untrusted, "the clock is not synchronised, and the policy asks for it",
                       no_clock};
    }
    if (w.s.d.m.restored && p.from == channel::local && !is_root(w, p.g)) {
        return refusal{
            error_code::clock_untrusted,
            "the database was restored: until the clock is synchronised nothing tells which grants were used",
            no_clock};
    }
    return std::nullopt;
}

// ---- two persons

bool wants_two(const work& w, const grant& g) {
    if ((g.act != grant_act::open && g.act != grant_act::settle) || w.config.rules.pairs == two_persons::never) {
        return false;
    }
    const auto at = w.s.d.compartments.find(*g.cmp);
    if (g.act == grant_act::settle) {  // else who may move and settle would open whatever door alone
        return at != w.s.d.compartments.end() && at->second.suspicion == moved_away;
    }
    const bool vacant = at == w.s.d.compartments.end() || (at->second.deposit.empty() && at->second.suspicion.empty());
    return w.config.rules.pairs == two_persons::always || !vacant;
}

bool same_person(const work& w, const std::string& one, const std::string& two) {
    const auto* a = w.s.d.people->find_sub(one);
    return one == two || (a != nullptr && a == w.s.d.people->find_sub(two));
}

std::optional<refusal> check_pair(const work& w, const grant& one, const grant& two) {
    const bool same_deed = two.act == one.act && two.cmp == one.cmp;
    if (!same_deed || two.jti == one.jti) {
        return refusal{error_code::not_permitted, "second_grant: another grant for the same act and door is wanted"};
    }
    if (one.sub.empty() || two.sub.empty() || same_person(w, one.sub, two.sub)) {
        return refusal{error_code::not_permitted, "second_grant: two persons are wanted, told apart by sub"};
    }
    return std::nullopt;
}

// A local grant that needs a companion waits for it, and is not used up meanwhile. Nothing: it has been dealt with;
// else it is the one that waited.
std::optional<grant> companion_of(work& w, const presented& p) {
    const int door = *p.g.cmp;
    const auto at = w.s.l.first_grants.find(door);
    if (p.g.sub.empty()) {
        refuse(w, p, {error_code::not_permitted, "two persons are wanted here, told apart by sub"}, door);
        return std::nullopt;
    }
    // One that has run out waits no more; a newer one of the same person takes its place.
    const bool waits = at != w.s.l.first_grants.end() && at->second.g.exp * 1000 > w.wall &&
                       !same_person(w, at->second.g.sub, p.g.sub);
    if (waits) {
        const grant first = at->second.g;
        w.s.l.first_grants.erase(at);
        return first;
    }
    w.s.l.first_grants[door] = {p.g, w.now.mono_ms};
    const std::int64_t within = std::clamp<std::int64_t>(p.g.exp - w.wall / 1000, 1, pair_within / second);
    w.answer(p.who, ok_reply("", serialize(object{{"second_grant_within_s", within}})));
    return std::nullopt;
}

void open_door(work& w, const presented& p, const std::optional<grant>& companion) {
    deed d{w, p.g, {}};
    d.a.by = "grant:" + p.g.jti;
    d.a.via = p.via;
    d.a.reason = p.g.reason;
    d.a.who = p.who;
    d.a.command = p.command;
    d.a.valid_for = p.g.exp * 1000 - w.wall;
    d.a.warrants = {warrant_of(w, p.g)};
    if (companion) {
        d.a.warrants.push_back(warrant_of(w, *companion));
        d.a.second = "grant:" + companion->jti;
        d.a.valid_for = std::min(d.a.valid_for, companion->exp * 1000 - w.wall);
    }
    auto why = needs_clock(w, p);
    why = why ? why : d.judge();
    if (why) {
        remember(w, p.command, p.digest, error_reply(p.who.id, *why, w.config.help));
        refuse(w, p, *why, d.a.compartment);
        return;
    }
    consume(w, p.g);
    if (companion) {
        consume(w, *companion);
    }
    remember(w, p.command, p.digest, "");
    authorise(w, d.a);
}

// ---- what is done at once

verdict revoke(work& w, const grant& g, const std::string& by) {
    if (!g.dep.empty()) {
        return revoke_issues(w, g.dep, static_cast<std::uint64_t>(*g.issue_min), by);
    }
    revoke_grants_before(w, g.iat, by);
    return serialize(object{{"before", format_time(g.iat * 1000)}});
}

void say_document(work& w, std::string_view what, const grant& g, const std::string& by,
                  std::vector<std::string> removed) {
    event_data data;
    data.by = by;
    data.reason = std::string(what);
    data.document = *g.version;
    if (!removed.empty()) {
        data.removed = std::move(removed);
    }
    w.say(event_type::credential_revoked, "", data);
}

verdict take_roster(work& w, const grant& g, const std::string& by) {
    const auto& old = *w.s.d.people;
    if (!is_root(w, g) && *g.version > limits::ring_version_max) {
        return refusal{error_code::wrong_state,
                       fmt::format("version: above {} only the root's word counts", limits::ring_version_max)};
    }
    if (*g.version <= old.version) {
        return refusal{error_code::wrong_state, fmt::format("version: must be above {}", old.version)};
    }
    auto fresh = std::make_shared<roster>(roster{*g.version, g.staff});
    std::vector<std::string> removed;
    for (const auto& m : old.members) {
        if (fresh->find(m.number) == nullptr) {
            removed.push_back(m.number);
        }
    }
    w.s.d.people = std::move(fresh);
    say_document(w, "roster", g, by, std::move(removed));
    return serialize(object{{"version", *g.version}, {"staff", g.staff.size()}});
}

verdict take_ring(work& w, const grant& g, const std::string& by) {
    const auto& old = *w.s.d.ring;
    if (*g.version <= old.version) {
        return refusal{error_code::wrong_state, fmt::format("version: must be above {}", old.version)};
    }
    auto fresh = std::make_shared<key_ring>(key_ring{*g.version, g.keys});
    if (fresh->find(w.config.root->kid) != nullptr) {
        return refusal{error_code::wrong_state, fmt::format("keys: \"{}\" is the root key's kid", w.config.root->kid)};
    }
    std::vector<std::string> removed;
    for (const auto& key : old.keys) {
        const auto* kept = fresh->find(key.kid);
        if (kept == nullptr || kept->public_key != key.public_key) {
            removed.push_back(key.kid);
        }
    }
    w.s.d.ring = std::move(fresh);
    w.s.l.first_grants.clear();
    auto& before_s = w.s.d.m.grants_before_s;
    const bool mended = mends_time(w, g);
    if (mended) {
        lower_floor(w);
    }
    if (clock_tells(w)) {
        before_s = std::min(before_s, w.wall / 1000);  // a revocation from a time that never was ends
    }
    if (mended) {
        before_s = std::max(before_s, g.iat);  // what was signed before would be good once more, and stays dead
    }
    say_document(w, "keys", g, by, std::move(removed));
    return serialize(object{{"version", *g.version}, {"keys", g.keys.size()}});
}

verdict do_at_once(work& w, const presented& p) {
    const std::string by = "grant:" + p.g.jti;
    switch (p.g.act) {
        case grant_act::move:
            return move_deposit(w, p.g.dep, *p.g.cmp, by);
        case grant_act::revoke:
            return revoke(w, p.g, by);
        case grant_act::staff:
            return staff_grant(w, p.g, warrant_of(w, p.g), p.from == channel::local ? p.terminal : 0, p.via);
        case grant_act::roster:
            return take_roster(w, p.g, by);
        default:
            return take_ring(w, p.g, by);
    }
}

void act_at_once(work& w, const presented& p) {
    const auto clock = needs_clock(w, p);
    const auto done = clock ? verdict(*clock) : do_at_once(w, p);
    if (!done) {
        remember(w, p.command, p.digest, error_reply(p.who.id, done.error(), w.config.help));
        refuse(w, p, done.error(), p.g.cmp.value_or(0));
        return;
    }
    consume(w, p.g);
    const auto reply = ok_reply(p.who.id, *done);
    remember(w, p.command, p.digest, reply);
    w.answer(p.who, reply);
}

// Another grant that goes with the first, checked as strictly: it came with the command, or was shown before.
std::optional<refusal> check_second(work& w, const presented& p, const std::optional<grant>& companion) {
    if (!companion) {
        return refusal{error_code::not_permitted, "second_grant: the policy asks for two persons here"};
    }
    auto why = check(w, *companion, p.from);
    return why ? why : check_pair(w, p.g, *companion);
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

void present(work& w, const presented& p) {
    if (const auto why = check(w, p.g, p.from)) {
        refuse(w, p, *why);
        return;
    }
    if (p.from == channel::mqtt && (p.g.act == grant_act::roster || p.g.act == grant_act::keys)) {
        refuse(w, p, {error_code::not_permitted, fmt::format("act {0} comes by the command {0}", name(p.g.act))});
        return;
    }
    if (!opens_a_door(p.g.act)) {
        act_at_once(w, p);
        return;
    }
    std::optional<grant> companion = p.second;
    const bool two = wants_two(w, p.g);
    if (two && p.from == channel::local) {
        companion = companion_of(w, p);
        if (!companion) {
            return;
        }
    }
    if (two || companion) {
        if (const auto why = check_second(w, p, companion)) {
            refuse(w, p, *why);
            return;
        }
    }
    open_door(w, p, companion);
}

void present_document(work& w, const presented& p, grant_act wanted) {
    auto why = check(w, p.g, p.from);
    if (!why && p.g.act != wanted) {
        why = refusal{error_code::not_permitted, fmt::format("act {} is wanted", name(wanted))};
    }
    if (why) {
        refuse(w, p, *why);
        return;
    }
    act_at_once(w, p);
}

bool holds(const work& w, const warrant& one) {
    if (!one.staff.empty()) {
        const auto* m = w.s.d.people->find(one.staff);
        return m != nullptr && m->sub == one.sub && !suspended(w, *m);
    }
    const bool root = w.config.root && w.config.root->kid == one.kid;
    const auto* key = root ? &*w.config.root : w.s.d.ring->find(one.kid);
    return key != nullptr && key->public_key == one.public_key && key->may_sign(one.act) &&
           (root || one.iat >= w.s.d.m.grants_before_s) && !suspension(w, one.sub, one.act == grant_act::staff);
}

void revoke_grants_before(work& w, std::int64_t before_s, const std::string& by) {
    auto& m = w.s.d.m;
    m.grants_before_s = std::max(m.grants_before_s, before_s);
    w.s.l.first_grants.clear();
    event_data data;
    if (by.empty()) {
        data.reason = "restored";
    } else {
        data.by = by;
    }
    data.before = before_s * 1000;
    w.say(event_type::credential_revoked, "", data);
}

void advance_first_grants(work& w) {
    std::erase_if(w.s.l.first_grants, [&](const auto& one) { return w.due(one.second.at + pair_within); });
}

}  // namespace locker::core
