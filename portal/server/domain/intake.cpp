#include "portal/server/domain/intake.hpp"
#include "portal/server/domain/members.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "portal/server/domain/cabinets.hpp"
#include "portal/server/domain/cases.hpp"
#include "portal/server/domain/notices.hpp"
#include "portal/server/domain/staff.hpp"
#include "portal/server/domain/statistics.hpp"
#include "protocol/json.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::json::object;

constexpr std::string_view prefix = "locker.";

int number(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_int64() && v->get_int64() >= 0 && v->get_int64() <= 999
               ? static_cast<int>(v->get_int64())
               : 0;
}

// An event, and the how manyth ledger of this cabinet it is of.
struct ledger_event : cabinet_event {
    std::int64_t ledger = 0;
    bool counted = false;  // by the ledger that the cabinet had before
};

std::string cause_of(const ledger_event& e) {
    return e.cabinet + "/" + (e.ledger == 0 ? "" : std::to_string(e.ledger) + "/") + std::to_string(e.sequence);
}

// Staff of this cabinet, each by themselves, and the team's channels once.
void tell_staff(office& o, const ledger_event& e, const std::string& name, const object& words) {
    for (const auto& who : all_staff(o)) {
        if (may_work_at(who, e.cabinet)) {
            tell(o, {cause_of(e), "staff:" + who.number, o.by.staff_channels, name, words, true});
        }
    }
    tell(o, {cause_of(e), "team", o.by.team_channels, name, words, true});
}

void tell_who_collects(office& o, const ledger_event& e, const case_record& c, const std::string& name) {
    const auto words = words_for(o, c);
    if (!c.person.empty()) {
        tell(o, {cause_of(e), c.person, o.by.resident_channels, name, words, false});
    }
    if (!c.delegate.empty()) {
        tell(o, {cause_of(e), c.delegate, o.by.resident_channels, name == "ready" ? "ready_delegate" : name, words,
                 false});
    }
}

std::string who_did(const cabinet_event& e) {
    const auto by = text_in(e.data, "by");
    return by.starts_with("staff:") ? by : "cabinet";
}

// The deposit that an event speaks of; one that staff began at the keypad is new here, and bound by its case.
std::optional<deposit_record> deposit_of(office& o, const cabinet_event& e) {
    const auto id = text_in(e.data, "deposit");
    if (id.empty()) {
        return std::nullopt;
    }
    if (auto d = find_deposit(o, id)) {
        return d->cabinet == e.cabinet ? d : std::nullopt;
    }
    auto c = find_case(o, text_in(e.data, "case"));
    const auto kind = text_in(e.data, "kind");
    if (!c || c->cabinet != e.cabinet || (kind != "intake" && kind != "return")) {
        return std::nullopt;
    }
    deposit_record d;
    d.id = id;
    d.cabinet = e.cabinet;
    d.case_id = c->id;
    d.kind = kind;
    c->deposit = id;
    save(o, *c);
    return d;
}

struct effect {
    const char* state;              // of the deposit; nullptr: unchanged
    std::optional<case_step> step;  // of its case
};

// Whoever put the papers in has taken them out again.
bool taken_back(const cabinet_event& e, const deposit_record& d) {
    constexpr std::string_view by_grant = "grant:";
    const auto by = text_in(e.data, "by");
    return by.starts_with(by_grant) &&
           (d.taken_back_by + " ").find(" " + by.substr(by_grant.size()) + " ") != std::string::npos;
}

std::optional<effect> effect_of(const cabinet_event& e, const deposit_record& d) {
    const bool back = d.kind == "return";
    const auto& t = e.type;
    if (t == "deposit.reserved") {
        return effect{"reserved", std::nullopt};
    }
    if (t == "deposit.deposited") {
        return effect{"deposited", back ? case_step::return_lies : case_step::papers_lie};
    }
    if (t == "deposit.confirmed") {
        return effect{"confirmed", back ? case_step::return_confirmed : case_step::confirmed};
    }
    if (t == "deposit.retrieved" && taken_back(e, d)) {
        return effect{"retrieved", back ? case_step::taken_back : case_step::withdrawn};
    }
    if (t == "deposit.retrieved") {
        return effect{"retrieved", back ? case_step::collected : case_step::taken};
    }
    if (t == "deposit.reclaimed") {
        return effect{"reclaimed", case_step::reclaimed};
    }
    if (t == "deposit.cancelled" || t == "deposit.expired") {
        return effect{t == "deposit.expired" ? "expired" : "cancelled", std::nullopt};
    }
    if (t == "deposit.moved" || t == "deposit.overdue" || t == "deposit.reminder" || t == "opening.unknown" ||
        t == "opening.interrupted") {
        return effect{nullptr, std::nullopt};
    }
    return std::nullopt;
}

void apply_to_case(office& o, const ledger_event& e, const deposit_record& d, const effect& what) {
    auto c = find_case(o, d.case_id);
    if (!c) {
        return;
    }
    const bool its_own = c->deposit == d.id;
    if (its_own && (e.type == "deposit.overdue" || e.type == "deposit.reminder")) {
        c->overdue = true;
        save(o, *c);
        if (d.kind == "return") {
            tell_who_collects(o, e, *c, "overdue");
        }
    }
    // "Documents deposited" was tapped before the door's closing was told: submitted, as soon as they lie there.
    const bool moved = its_own && what.step && advance(o, *c, *what.step, who_did(e));
    if (!moved) {
        o.changed("case/" + c->id);
        return;
    }
    if (c->overdue && (what.state == std::string_view("retrieved") || *what.step == case_step::reclaimed)) {
        c->overdue = false;
        save(o, *c);
    }
    if (*what.step == case_step::confirmed) {
        tell_staff(o, e, "new_case", words_for(o, *c));
    } else if (*what.step == case_step::return_confirmed) {
        tell_who_collects(o, e, *c, "ready");
    } else if (*what.step == case_step::reclaimed && d.kind == "return") {
        tell_who_collects(o, e, *c, "counter");
    }
}

// Deposits of other systems are counted by what the event says of them, without a case and a service.
void count_event(office& o, const ledger_event& e, const std::optional<deposit_record>& d) {
    counted_event counted{e, "", text_in(e.data, "deposit"), text_in(e.data, "kind"), "", false, false, e.counted};
    if (d) {
        const auto c = find_case(o, d->case_id);
        counted.service = c ? c->service : "";
        counted.kind = d->kind;
        counted.case_id = d->case_id;
        counted.taken_back = taken_back(e, *d);
        counted.lay = stored(*d);
    }
    count(o, counted);
}

void apply(office& o, const ledger_event& e) {
    auto d = deposit_of(o, e);
    const auto what = d ? effect_of(e, *d) : std::nullopt;
    count_event(o, e, d);
    if (d) {
        if (what) {
            if (what->state != nullptr) {
                d->state = what->state;
            }
            if (const int door = number(e.data, "compartment"); door > 0) {
                d->compartment = door;
            }
            if (e.type.starts_with("opening.") && text_in(e.data, "by") == "code") {
                d->renew = true;  // whether the cabinet called it spent nobody knows
            }
            save(o, *d);
            apply_to_case(o, e, *d, *what);
        }
    }
    if (e.type == "credential.revoked") {
        auto revoked = find_deposit(o, text_in(e.data, "deposit"));
        const auto* least = e.data.if_contains("issue_min");
        if (revoked && revoked->cabinet == e.cabinet && least != nullptr && least->is_int64()) {
            codes_ended(o, *revoked, least->get_int64());
        }
    }
    if (e.type == "opening.jammed" || e.type == "compartment.suspected") {
        const auto cabinet = find_cabinet(o, e.cabinet);
        tell_staff(o, e, "trouble",
                   {{"cabinet", e.cabinet},
                    {"place", cabinet ? cabinet->name : e.cabinet},
                    {"door", number(e.data, "compartment")},
                    {"what", e.type == "opening.jammed" ? "卡住 jammed" : "待查 " + text_in(e.data, "reason")}});
    }
}

}  // namespace

std::optional<cabinet_event> parse_event(const std::string& cabinet, const boost::json::value& message) {
    const auto* o = message.if_object();
    if (o == nullptr) {
        return std::nullopt;
    }
    const auto type = text_in(*o, "type");
    const auto sequence = text_in(*o, "sequence");
    const auto* data = o->if_contains("data");
    cabinet_event e;
    e.cabinet = cabinet;
    const auto [end, error] = std::from_chars(sequence.data(), sequence.data() + sequence.size(), e.sequence);
    if (text_in(*o, "source") != "locker/v1/" + cabinet || !type.starts_with(prefix) || error != std::errc{} ||
        end != sequence.data() + sequence.size() || e.sequence == 0 || data == nullptr || !data->is_object()) {
        return std::nullopt;
    }
    e.type = type.substr(prefix.size());
    e.data = data->get_object();
    e.head = text_in(*o, "ledgerhead");
    e.at_ms = parse_time(text_in(*o, "time")).value_or(0);
    return e;
}

namespace {

taken_in take_one(office& o, const cabinet_event& e) {
    const auto cabinet = find_cabinet(o, e.cabinet);
    if (!cabinet) {
        return taken_in::unknown;
    }
    if (e.sequence == cabinet->sequence && !e.head.empty() && !cabinet->head.empty() && e.head != cabinet->head) {
        return taken_in::other;
    }
    if (e.sequence <= cabinet->sequence) {
        return taken_in::before;
    }
    if (e.sequence > cabinet->sequence + 1) {
        return taken_in::gap;
    }
    const auto sequence = static_cast<long long>(e.sequence);
    const long long at = happened_ms(o, e);
    o.db.sql() << "UPDATE cabinets SET sequence = :s, head = :h, heard_until = CASE WHEN heard_until < :t THEN :u ELSE "
                  "heard_until END WHERE id = :i",
        soci::use(sequence), soci::use(e.head), soci::use(at), soci::use(at), soci::use(e.cabinet);
    // A ledger that was restored says again what was counted, in order: a time that nobody believes is of that part,
    // too, until the first row that is later.
    const bool again = cabinet->counted_until_ms > 0 && (!believed(o, e) || at <= cabinet->counted_until_ms);
    if (!again && cabinet->counted_until_ms > 0) {
        o.db.sql() << "UPDATE cabinets SET counted_until = 0 WHERE id = :i", soci::use(e.cabinet);
    }
    apply(o, {e, cabinet->ledger, again});
    o.changed("cabinet/" + e.cabinet);
    return taken_in::now;
}

}  // namespace

taken_in take_in(office& o, const std::vector<cabinet_event>& events) {
    auto all = taken_in::before;
    transaction t(o.db.sql());
    for (const auto& e : events) {
        const auto one = take_one(o, e);
        if (one != taken_in::before) {
            all = one;
        }
        if (one != taken_in::before && one != taken_in::now) {
            break;
        }
    }
    t.commit();
    return all;
}

}  // namespace locker::portal
