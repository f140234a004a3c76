#include "daemon/core/rows.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "hal/ports/canary.hpp"
#include "protocol/limits.hpp"

namespace locker::core {
namespace {

using boost::json::object;
using boost::json::value;

std::string encode_row(const compartment& c) {
    return serialize(object{{"door", locker::name(c.door)},
                            {"lock", locker::name(c.lock)},
                            {"jams", c.jams},
                            {"deposit", c.deposit},
                            {"disabled", c.disabled},
                            {"suspicion", c.suspicion},
                            {"doubt", c.doubt},
                            {"forced", c.forced_ms},
                            {"hold_until", c.hold_until},
                            {"grace_deposit", c.grace_deposit},
                            {"last_used", c.last_used},
                            {"since", c.since_ms}});
}

value bucket_row(const bucket& b) {
    return object{{"debt", b.debt}, {"at", b.at}};
}

template <typename T>
value optional_row(const std::optional<T>& v) {
    return v ? value(*v) : value(nullptr);
}

std::string encode_row(const opening& o) {
    return serialize(object{{"compartment", o.compartment},
                            {"deposit", o.deposit},
                            {"purpose", name(o.what)},
                            {"by", o.by},
                            {"issue", optional_row(o.issue)},
                            {"grace", o.grace},
                            {"look", o.look},
                            {"outcome", locker::name(o.result)},
                            {"opened_at", o.opened_at},
                            {"opened_ms", o.opened_ms},
                            {"late", o.late},
                            {"passed", o.passed},
                            {"held", o.held},
                            {"command", o.command},
                            {"reply_topic", o.reply_topic},
                            {"correlation", to_hex(bytes_of(o.correlation))}});
}

std::string encode_row(const throttle& t) {
    return serialize(object{{"fast", bucket_row(t.fast)},
                            {"slow", bucket_row(t.slow)},
                            {"charges", boost::json::value_from(t.charges)},
                            {"charged_ms", t.charged_ms}});
}

std::string encode_row(const staff_record& s) {
    return serialize(object{{"failures", s.failures},
                            {"suspensions", s.suspensions},
                            {"suspended_until", s.suspended_until},
                            {"steps", boost::json::value_from(s.steps)},
                            {"forgotten", s.forgotten}});
}

std::string encode_row(const lock_health& l) {
    return serialize(object{{"cycles", l.cycles},
                            {"retries", l.retries},
                            {"jams", l.jams},
                            {"bounces", l.bounces},
                            {"learnt", l.learnt},
                            {"usual", l.usual_us},
                            {"recent", l.recent_us},
                            {"sum", l.sum},
                            {"worn", l.worn},
                            {"said", l.said},
                            {"said_ms", l.said_ms}});
}

std::string encode_row(const sensor& s) {
    return serialize(object{{"trouble", s.trouble}, {"since", s.since_ms}});
}

std::string encode_row(const roster& r) {
    return serialize(object{{"version", r.version}, {"staff", members_json(r.members)}});
}

std::string encode_row(const retention& r) {
    return serialize(object{{"pruned", r.pruned}, {"prune_at", r.prune_at}, {"said", r.said_ms}});
}

std::string encode_row(const meta& m) {
    return serialize(object{{"age", m.age},
                            {"mono", m.mono_ms},
                            {"wall", m.wall_ms},
                            {"boot", m.boot},
                            {"trusted", m.trusted},
                            {"floor", m.floor_ms},
                            {"floor_age", m.floor_age},
                            {"sequence", m.sequence},
                            {"head", to_hex(m.head)},
                            {"published", m.published},
                            {"acknowledged", m.acknowledged},
                            {"ledger_broken", m.ledger_broken_ms},
                            {"slow", m.slow},
                            {"told", m.told_ms},
                            {"told_age", m.told_age},
                            {"away", m.away_ms},
                            {"grants_kept_until", m.grants_kept_until},
                            {"restored", m.restored},
                            {"grants_before", m.grants_before_s},
                            {"cabinet", m.cabinet},
                            {"wiring", m.wiring},
                            {"key_ids", boost::json::value_from(m.key_ids)}});
}

// Reads members of a row we wrote. A member an older release did not write keeps its default: migrations are additive.
class row {
public:
    row(std::string_view kind, const std::string& text) : kind_(kind) {
        boost::json::error_code error;
        auto v = boost::json::parse(text, error);
        if (error || !v.is_object()) {
            fail("not a JSON object");
        }
        o_ = std::move(v.get_object());
    }
    [[noreturn]] void fail(std::string_view what) const {
        throw damaged_archive("state row of kind " + kind_ + ": " + std::string(what));
    }
    template <typename T>
    void get(std::string_view member, T& into) const {
        if (const auto* v = o_.if_contains(member); v != nullptr && !v->is_null()) {
            auto read = boost::json::try_value_to<T>(*v);
            if (!read) {
                fail(member);
            }
            into = std::move(*read);
        }
    }
    template <typename T>
    void get(std::string_view member, std::optional<T>& into) const {
        T v{};
        if (const auto* found = o_.if_contains(member); found != nullptr && !found->is_null()) {
            get(member, v);
            into = v;
        }
    }
    template <typename E>
    void word(std::string_view member, E& into, std::optional<E> (*from)(std::string_view)) const {
        std::string text;
        get(member, text);
        const auto v = from(text);
        if (!v) {
            fail(member);
        }
        into = *v;
    }
    void get(std::string_view member, bucket& into) const {
        if (const auto* v = o_.if_contains(member); v != nullptr) {
            const row r(kind_, serialize(*v));
            r.get("debt", into.debt);
            r.get("at", into.at);
        }
    }

private:
    std::string kind_;
    object o_;
};

compartment decode_compartment(int number, const std::string& text) {
    const row r("compartment", text);
    compartment c;
    c.number = number;
    r.word("door", c.door, door_state_from);
    r.word("lock", c.lock, lock_state_from);
    r.get("jams", c.jams);
    r.get("deposit", c.deposit);
    r.get("disabled", c.disabled);
    r.get("suspicion", c.suspicion);
    r.get("doubt", c.doubt);
    r.get("forced", c.forced_ms);
    r.get("hold_until", c.hold_until);
    r.get("grace_deposit", c.grace_deposit);
    r.get("last_used", c.last_used);
    r.get("since", c.since_ms);
    return c;
}

deposit decode_deposit(const std::string& id, const std::string& text) {
    const row r("deposit", text);
    deposit d;
    d.id = id;
    r.word("kind", d.kind, deposit_kind_from);
    r.get("case", d.case_id);
    r.word("size", d.size, box_size_from);
    r.get("accessible", d.accessible);
    r.get("compartment", d.compartment);
    r.word("state", d.state, deposit_state_from);
    r.get("since", d.since);
    r.get("since_ms", d.since_ms);
    r.get("pulsed", d.pulsed);
    r.get("unseen", d.unseen);
    r.get("overdue", d.overdue);
    r.get("reminders", d.reminders);
    r.get("issue_next", d.issue_next);
    r.get("spent_issue", d.spent_issue);
    r.get("unknown_issue", d.unknown_issue);
    r.get("unknown_until", d.unknown_until);
    r.get("unknown_left", d.unknown_left);
    r.get("own", d.own);
    return d;
}

opening decode_opening(std::int64_t id, const std::string& text) {
    const row r("opening", text);
    opening o;
    o.id = id;
    r.get("compartment", o.compartment);
    r.get("deposit", o.deposit);
    r.word("purpose", o.what, purpose_from);
    r.get("by", o.by);
    r.get("issue", o.issue);
    r.get("grace", o.grace);
    r.get("look", o.look);
    r.word("outcome", o.result, outcome_from);
    r.get("opened_at", o.opened_at);
    r.get("opened_ms", o.opened_ms);
    r.get("late", o.late);
    r.get("passed", o.passed);
    r.get("held", o.held);
    r.get("command", o.command);
    r.get("reply_topic", o.reply_topic);
    std::string correlation;
    r.get("correlation", correlation);
    if (const auto bytes = from_hex(correlation)) {
        o.correlation.assign(bytes->begin(), bytes->end());
    }
    return o;
}

throttle decode_throttle(const std::string& text) {
    const row r("throttle", text);
    throttle t;
    r.get("fast", t.fast);
    r.get("slow", t.slow);
    r.get("charges", t.charges);
    r.get("charged_ms", t.charged_ms);
    return t;
}

staff_record decode_staff(const std::string& text) {
    const row r("staff", text);
    staff_record s;
    r.get("failures", s.failures);
    r.get("suspensions", s.suspensions);
    r.get("suspended_until", s.suspended_until);
    r.get("steps", s.steps);
    r.get("forgotten", s.forgotten);
    return s;
}

roster decode_roster(const std::string& text) {
    const row r("document", text);
    roster out;
    r.get("version", out.version);
    const auto object = parse_object(text, limits::payload_bytes);
    auto members = object && object->contains("staff") ? parse_members(object->at("staff"))
                                                       : reading<std::vector<staff_member>>(malformed("staff"));
    if (!members) {
        r.fail(members.error().detail);
    }
    out.members = std::move(*members);
    return out;
}

key_ring decode_ring(const std::string& text) {
    auto ring = parse_key_ring(text);
    if (!ring) {
        throw damaged_archive("state row of kind document: ring: " + ring.error().detail);
    }
    return std::move(*ring);
}

meta decode_meta(const std::string& text) {
    const row r("meta", text);
    meta m;
    std::string head;
    r.get("age", m.age);
    r.get("mono", m.mono_ms);
    r.get("wall", m.wall_ms);
    r.get("boot", m.boot);
    r.get("trusted", m.trusted);
    r.get("floor", m.floor_ms);
    r.get("floor_age", m.floor_age);
    r.get("sequence", m.sequence);
    r.get("head", head);
    r.get("published", m.published);
    r.get("acknowledged", m.acknowledged);
    r.get("ledger_broken", m.ledger_broken_ms);
    r.get("slow", m.slow);
    r.get("told", m.told_ms);
    r.get("told_age", m.told_age);
    r.get("away", m.away_ms);
    r.get("grants_before", m.grants_before_s);
    r.get("grants_kept_until", m.grants_kept_until);
    r.get("restored", m.restored);
    r.get("cabinet", m.cabinet);
    r.get("wiring", m.wiring);
    r.get("key_ids", m.key_ids);
    const auto bytes = from_hex(head);
    const auto key = bytes ? as_key(*bytes) : std::nullopt;
    if (!key) {
        r.fail("head");
    }
    m.head = sick(canary::chain_starts_anew) ? digest256{} : *key;
    return m;
}

lock_health decode_lock(const std::string& text) {
    const row r("lock", text);
    lock_health l;
    r.get("cycles", l.cycles);
    r.get("retries", l.retries);
    r.get("jams", l.jams);
    r.get("bounces", l.bounces);
    r.get("learnt", l.learnt);
    r.get("usual", l.usual_us);
    r.get("recent", l.recent_us);
    r.get("sum", l.sum);
    r.get("worn", l.worn);
    r.get("said", l.said);
    r.get("said_ms", l.said_ms);
    return l;
}

std::int64_t number_key(std::string_view kind, const std::string& key) {
    std::int64_t n = 0;
    const auto [at, error] = std::from_chars(key.data(), key.data() + key.size(), n);
    if (error != std::errc{} || at != key.data() + key.size()) {
        throw damaged_archive("state row of kind " + std::string(kind) + ": key " + key);
    }
    return n;
}

std::string key_text(const std::string& key) {
    return key;
}
std::string key_text(sensor_kind key) {
    return std::string(name(key));
}
template <typename Number>
std::string key_text(Number key) {
    return std::to_string(key);
}

// Both maps are sorted by the same key: one walk finds what was added, changed and removed.
template <typename Map>
void compare(std::string_view kind, const Map& before, const Map& after, std::vector<state_write>& out) {
    auto a = before.begin();
    auto b = after.begin();
    while (a != before.end() || b != after.end()) {
        if (b == after.end() || (a != before.end() && a->first < b->first)) {
            out.push_back({std::string(kind), key_text(a->first), std::nullopt});
            ++a;
        } else if (a == before.end() || b->first < a->first) {
            out.push_back({std::string(kind), key_text(b->first), encode_row(b->second)});
            ++b;
        } else {
            if (!(a->second == b->second)) {
                out.push_back({std::string(kind), key_text(b->first), encode_row(b->second)});
            }
            ++a;
            ++b;
        }
    }
}

}  // namespace

std::string encode_row(const deposit& d) {
    return serialize(object{{"kind", locker::name(d.kind)},
                            {"case", d.case_id},
                            {"size", locker::name(d.size)},
                            {"accessible", d.accessible},
                            {"compartment", d.compartment},
                            {"state", locker::name(d.state)},
                            {"since", d.since},
                            {"since_ms", d.since_ms},
                            {"pulsed", d.pulsed},
                            {"unseen", d.unseen},
                            {"overdue", d.overdue},
                            {"reminders", d.reminders},
                            {"issue_next", sick(canary::spent_codes_forgotten) ? 0 : d.issue_next},
                            {"spent_issue", optional_row(d.spent_issue)},
                            {"unknown_issue", optional_row(d.unknown_issue)},
                            {"unknown_until", d.unknown_until},
                            {"unknown_left", d.unknown_left},
                            {"own", bucket_row(d.own)}});
}

std::vector<state_write> difference(const durable& before, const durable& after) {
    std::vector<state_write> out;
    compare("compartment", before.compartments, after.compartments, out);
    compare("deposit", before.deposits, after.deposits, out);
    compare("opening", before.openings, after.openings, out);
    if (!sick(canary::throttle_in_memory)) {
        compare("throttle", before.throttles, after.throttles, out);
    }
    if (!sick(canary::suspension_in_memory)) {
        compare("staff", before.staff, after.staff, out);
    }
    compare("lock", before.locks, after.locks, out);
    compare("sensor", before.sensors, after.sensors, out);
    if (before.ring != after.ring) {
        out.push_back({"document", "ring", encode(*after.ring)});
    }
    if (before.people != after.people) {
        out.push_back({"document", "roster", encode_row(*after.people)});
    }
    if (!(before.kept == after.kept)) {
        out.push_back({"retention", "ledger", encode_row(after.kept)});
    }
    if (!(before.m == after.m)) {
        out.push_back({"meta", "cabinet", encode_row(after.m)});
    }
    return out;
}

durable load(const archive& a) {
    durable d;
    for (const auto& [key, text] : a.all("compartment")) {
        const auto number = static_cast<int>(number_key("compartment", key));
        d.compartments.emplace(number, decode_compartment(number, text));
    }
    for (const auto& [key, text] : a.all("lock")) {
        d.locks.emplace(static_cast<int>(number_key("lock", key)), decode_lock(text));
    }
    for (const auto& [key, text] : a.all("deposit")) {
        d.deposits.emplace(key, decode_deposit(key, text));
    }
    for (const auto& [key, text] : a.all("opening")) {
        const auto id = number_key("opening", key);
        d.openings.emplace(id, decode_opening(id, text));
    }
    for (const auto& [key, text] : a.all("throttle")) {
        d.throttles.emplace(key, decode_throttle(text));
    }
    for (const auto& [key, text] : a.all("staff")) {
        d.staff.emplace(key, decode_staff(text));
    }
    for (const auto kind : {sensor_kind::mains, sensor_kind::tamper}) {
        if (const auto text = a.find("sensor", name(kind))) {
            const row r("sensor", *text);
            auto& s = d.sensors[kind];
            r.get("trouble", s.trouble);
            r.get("since", s.since_ms);
        }
    }
    if (const auto text = a.find("document", "ring")) {
        d.ring = std::make_shared<const key_ring>(decode_ring(*text));
    }
    if (const auto text = a.find("document", "roster")) {
        d.people = std::make_shared<const roster>(decode_roster(*text));
    }
    if (const auto text = a.find("retention", "ledger")) {
        const row r("retention", *text);
        r.get("pruned", d.kept.pruned);
        r.get("prune_at", d.kept.prune_at);
        r.get("said", d.kept.said_ms);
    }
    if (const auto text = a.find("meta", "cabinet")) {
        d.m = decode_meta(*text);
    }
    return d;
}

}  // namespace locker::core
