#include "tests/simulation/auditor.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace sim {
namespace {

std::string digest_of(const locker::ledger_row& r) {
    std::string text("locker/ledger/v1\0", 17);
    const auto number = [&](std::uint64_t n) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            text.push_back(static_cast<char>((n >> static_cast<unsigned>(shift)) & 0xFFU));
        }
    };
    const auto words = [&](const std::string& s) {
        number(s.size());
        text += s;
    };
    number(r.sequence);
    number(static_cast<std::uint64_t>(r.wall_ms));
    number(static_cast<std::uint64_t>(r.mono_ms));
    words(r.boot);
    words(r.type);
    words(r.subject);
    words(r.data);
    text.append(reinterpret_cast<const char*>(r.previous.data()), r.previous.size());
    unsigned char out[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out);
    return {reinterpret_cast<const char*>(out), sizeof out};
}

std::string hex(const locker::digest256& d) {
    std::string out;
    for (const auto byte : d) {
        constexpr std::string_view digits = "0123456789abcdef";
        out.push_back(digits[byte >> 4U]);
        out.push_back(digits[byte & 15U]);
    }
    return out;
}

std::string bytes(const locker::digest256& d) {
    return {reinterpret_cast<const char*>(d.data()), d.size()};
}

std::string text_of(const boost::json::object& o, const char* member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_string() ? std::string(v->get_string().c_str()) : "";
}

std::int64_t number_of(const boost::json::object& o, const char* member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_int64() ? v->get_int64() : 0;
}

constexpr std::int64_t grace_ms = 60 * second;
constexpr std::int64_t tolerance_ms = 3 * second;  // between the truth of a door and the cabinet's knowledge of it

}  // namespace

void auditor::fail(const std::string& what) const {
    throw violation(what);
}

void auditor::process_started(const std::string& epoch) {
    epoch_ = epoch;
    ++run_;
    running_ = true;
}

void auditor::process_ended() {
    running_ = false;
    entered_.clear();
    session_.clear();
    deed_ = false;
}

void auditor::ledger_found(const std::vector<locker::ledger_row>& all) {
    const std::uint64_t head = all.empty() ? 0 : all.back().sequence;
    if (head < rows_.size()) {
        fail("I5 " + std::to_string(rows_.size() - head) + " rows that were committed are gone after a restart");
    }
    for (const auto& row : all) {
        if (row.sequence <= rows_.size()) {
            if (!(row == row_at(row.sequence))) {
                fail("I5 row " + std::to_string(row.sequence) + " is another one after a restart");
            }
        } else {
            take(row, false);  // its commit was not acknowledged, and yet it is there: allowed
        }
    }
    if (!all.empty() && all.front().sequence != pruned_ + 1) {
        fail("I5 the ledger begins at " + std::to_string(all.front().sequence) + ", rows that left end at " +
             std::to_string(pruned_));
    }
}

void auditor::committed(const locker::transaction& tx) {
    for (const auto& row : tx.rows) {
        take(row, true);
    }
}

void auditor::take(const locker::ledger_row& row, bool live) {
    if (row.sequence != rows_.size() + 1) {
        fail("I5 sequence " + std::to_string(row.sequence) + " after " + std::to_string(rows_.size()));
    }
    const std::string before = rows_.empty() ? std::string(32, '\0') : bytes(rows_.back().hash);
    if (bytes(row.previous) != before || bytes(row.hash) != digest_of(row)) {
        fail("I7 the chain breaks at " + std::to_string(row.sequence));
    }
    rows_.push_back(row);
    const auto data = boost::json::parse(row.data).as_object();
    const std::string dep = text_of(data, "deposit");
    const int compartment = static_cast<int>(number_of(data, "compartment"));
    const std::int64_t id = number_of(data, "opening");
    ++world_.met["event." + row.type];

    if (row.type == "ledger.pruned") {
        take_pruned(row, data);
    }
    if (row.type == "opening.authorised") {
        auto& o = openings_[id];
        o.compartment = compartment;
        o.dep = dep;
        o.by = text_of(data, "by");
        o.purpose = text_of(data, "purpose");
        o.authorised_at = world_.now + world_.held_up_ms;
        o.run = live ? run_ : run_ - 1;
        take_authorised(o, data, live);
    } else if (row.type == "opening.opened" || row.type == "opening.jammed" || row.type == "opening.unknown" ||
               row.type == "opening.interrupted") {
        const auto at = openings_.find(id);
        if (at == openings_.end()) {
            fail("I4 an outcome without an opening: " + row.data);
        }
        if (!at->second.outcome.empty()) {
            fail("I4 opening " + std::to_string(id) + " has two outcomes: " + at->second.outcome + ", " + row.type);
        }
        at->second.outcome = row.type;
        told_outcome(at->second, data);
        if (row.type == "opening.unknown" && at->second.why.act == "code") {
            spent_[at->second.dep].unknown.try_emplace(at->second.why.issue, spent::doubtful{world_.now, 0});
        }
    } else if (row.type == "deposit.reserved") {
        if (states_.count(dep) != 0) {
            fail("I10 deposit id used twice: " + dep);
        }
        if (tenants_.count(compartment) != 0) {
            fail("I10 compartment " + std::to_string(compartment) + " has two live deposits");
        }
        if (suspected_.count(compartment) != 0) {
            fail("I10 compartment " + std::to_string(compartment) + " is suspected, and was given to " + dep);
        }
        states_[dep] = "reserved";
        kinds_[dep] = text_of(data, "kind");
        places_[dep] = compartment;
        tenants_[compartment] = dep;
    } else if (row.type == "deposit.moved" && id == 0) {
        take_moved(dep, compartment, data, live);
    } else if (row.type == "staff.signed_in") {
        take_signed_in(data, live);
    } else if (row.type == "staff.signed_out") {
        session_.clear();
    } else if (row.type == "credential.suspended") {
        const std::string number = text_of(data, "staff");
        failures_[number] = 0;
        if (text_of(data, "reason") == "lifted") {
            suspended_staff_.erase(number);
        } else {
            auto& s = suspended_staff_[number];
            s.until = world_.now + (15 * minute << std::min(s.in_a_row, 6)) * 95 / 100;
            ++s.in_a_row;
        }
    } else if (row.type == "credential.revoked") {
        take_revoked(data, live);
    } else if (row.type == "deposit.moved") {
        tenants_.erase(static_cast<int>(number_of(data, "from")));
        if (tenants_.count(compartment) != 0) {
            fail("I10 a deposit moved to an occupied compartment");
        }
        if (suspected_.count(compartment) != 0) {
            fail("I10 a deposit moved to a suspected compartment");
        }
        tenants_[compartment] = dep;
        places_[dep] = compartment;
    } else if (row.type == "opening.closed") {
        const auto at = openings_.find(id);
        if (at != openings_.end() && at->second.why.act == "code" && data.contains("bounced")) {
            spent_[at->second.dep].next = spent_[at->second.dep].next_before;
        }
        if (at != openings_.end() && (at->second.purpose == "open" || at->second.purpose == "settle") &&
            !data.contains("bounced")) {
            forced_.erase(compartment);
        }
    } else if (row.type == "door.forced") {
        forced_.insert(compartment);
    } else if (row.type == "compartment.suspected") {
        suspected_.insert(compartment);
    } else if (row.type == "compartment.settled") {
        suspected_.erase(compartment);
    } else if (row.type.starts_with("deposit.") && states_.count(dep) != 0) {
        const std::string state = row.type.substr(8);
        if (state == "overdue" || state == "reminder") {
            return;
        }
        const std::string was = states_[dep];
        if ((state == "expired" || state == "cancelled") && (was != "reserved" || pulsed_.count(dep) != 0)) {
            fail("I10 deposit " + dep + " was " + was + ", its door was opened, and it was given up as " + state);
        }
        if (state == "retrieved" || state == "reclaimed") {
            const std::string purpose = state == "retrieved" ? "collect" : "settle";
            const auto at = openings_.find(id);
            if (at == openings_.end() || at->second.dep != dep || at->second.purpose != purpose ||
                at->second.outcome.empty()) {
                fail("I10 deposit " + dep + " became " + state + " by no opening of its own");
            }
        }
        const bool live_before = was == "reserved" || was == "deposited" || was == "confirmed";
        if (!live_before) {
            fail("I10 deposit " + dep + " was " + was + " and became " + state);
        }
        states_[dep] = state;
        if (state == "retrieved" || state == "cancelled" || state == "expired" || state == "reclaimed") {
            tenants_.erase(places_[dep]);
        }
        if (state == "retrieved") {
            auto& s = spent_[dep];
            s.closed_at = world_.now;
            if (const auto& by = openings_[id].why; by.act == "code") {  // also one that was called unknown at first
                s.next = std::max(s.next, by.issue + 1);
                s.last = by.issue;
            }
        }
    }
}

// What is told of a door is true, as far as its contact is.
void auditor::told_outcome(opening& o, const boost::json::object& data) {
    const bool opened = o.outcome == "opening.opened";
    if (opened && unwired_.count(o.compartment) != 0) {
        fail("I4 door " + std::to_string(o.compartment) + " has no contact, and was told to have opened");
    }
    const auto at = truly_opened_.find(o.compartment);
    const bool truly = at != truly_opened_.end() && at->second >= o.authorised_at;
    if (!contacts_faulty && !data.contains("recovered") && opened != truly &&
        (opened || o.outcome == "opening.jammed")) {
        fail("I4 " + o.outcome + " was told of door " + std::to_string(o.compartment) +
             (truly ? ", which had opened" : ", which had not opened"));
    }
    if (opened && o.why.act == "code" && !o.grace) {
        auto& s = spent_[o.dep];
        s.next_before = s.next;
        s.next = std::max(s.next, o.why.issue + 1);
        s.last = o.why.issue;
    }
}

const auditor::authority& auditor::take_grant(const std::string& by, bool live, bool goes_on) {
    const auto at = grants_.find(by.substr(std::min<std::size_t>(6, by.size())));
    if (!by.starts_with("grant:") || at == grants_.end()) {
        fail("I1 something was done by a grant that nobody issued: " + by);
    }
    const auto& why = at->second;
    if (!used_grants_.insert(why.jti).second && !goes_on) {
        fail("I6 grant " + why.jti + " was used twice");
    }
    if (live && !clock_faulty && world_.true_wall() >= why.expires && !goes_on) {
        fail("I3 grant " + why.jti + " had expired");
    }
    if (live && !goes_on && why.kid != "root" && (kids_.count(why.kid) == 0 || why.iat < grants_before_)) {
        fail("I3 grant " + why.jti + " was revoked, or its key");
    }
    return why;
}

// Somebody signed in: by a code of theirs, of this minute and not yet used, or by a grant.
void auditor::take_signed_in(const boost::json::object& data, bool live) {
    const std::string number = text_of(data, "staff");
    const std::string by = text_of(data, "by");
    const auto known = people_.find(number);
    if (known == people_.end() || known->second.suspended) {
        fail("I3 staff number " + number + " signed in, which is suspended or in no roster");
    }
    if (by.starts_with("grant:")) {
        if (take_grant(by, live, false).act != "staff") {
            fail("I1 a grant signed somebody in that is for something else: " + by);
        }
    } else if (live) {
        if (front_ && locked_out()) {
            fail("I3 a staff code was taken while the keypad was locked out");
        }
        if (const auto at = suspended_staff_.find(number);
            at != suspended_staff_.end() && world_.now < at->second.until) {
            fail("I3 staff number " + number + " signed in while it was suspended");
        }
        const auto codes = staff_codes_.find({std::atoi(number.c_str()), entered_});
        if (codes == staff_codes_.end() || std::atoi(number.c_str()) != door_) {
            fail("I1 staff number " + number + " signed in by a code that its phone never showed");
        }
        const std::int64_t now_s = world_.true_wall() / 1000;
        constexpr std::int64_t tolerance_s = 20;  // a slow disk holds up what was judged before
        bool fresh = false;
        bool timely = clock_faulty;
        for (const auto step : codes->second) {
            const bool near = now_s >= (step - 1) * 30 - tolerance_s && now_s < (step + 2) * 30 + tolerance_s;
            timely = timely || near;
            if (used_steps_.insert({door_, step}).second) {
                fresh = true;
                break;
            }
        }
        if (!timely) {
            fail("I3 staff number " + number + " signed in by a code of another time");
        }
        if (!fresh) {
            fail("I6 staff number " + number + " signed in by a code that was used");
        }
    }
    failures_[number] = 0;
    suspended_staff_.erase(number);
    if (live) {
        session_ = number;
        session_at_ = world_.now;
        session_began_ = world_.now;
    }
}

void auditor::take_revoked(const boost::json::object& data, bool live) {
    const std::string by = text_of(data, "by");
    const auto& why = take_grant(by, live, false);
    if (data.contains("document")) {
        const bool keys = text_of(data, "reason") == "keys";
        if (why.act != (keys ? "keys" : "roster")) {
            fail("I1 a document came by a grant that is none: " + by);
        }
        if (keys) {
            kids_ = rings_.at(why.jti);
        } else {
            people_ = rosters_.at(why.jti);
        }
    } else if (why.act != "revoke") {
        fail("I1 something was revoked by a grant for something else: " + by);
    } else if (data.contains("before")) {
        grants_before_ = std::max(grants_before_, why.iat);
    } else {
        auto& s = spent_[why.dep];
        const auto min = static_cast<std::uint64_t>(number_of(data, "issue_min"));
        s.next = std::max(s.next, min);
        s.next_before = std::max(s.next_before, min);
    }
}

// Staff say where the papers truly lie.
void auditor::take_moved(const std::string& dep, int to, const boost::json::object& data, bool live) {
    const std::string by = text_of(data, "by");
    if (by.starts_with("grant:")) {
        const auto& why = take_grant(by, live, false);
        if (why.act != "move" || why.dep != dep || why.compartment != to) {
            fail("I1 deposit " + dep + " was moved by a grant for something else");
        }
    } else if (live && (by != "staff:" + session_ || people_[session_].permits.count("move") == 0)) {
        fail("I1 deposit " + dep + " was moved by nobody who may: " + by);
    }
    if (tenants_.count(to) != 0) {
        fail("I10 deposit " + dep + " was moved behind a door that another has");
    }
    tenants_.erase(places_[dep]);
    tenants_[to] = dep;
    places_[dep] = to;
}

void auditor::take_staff_opening(opening& o) {
    const std::string number = o.by.substr(6);
    if (session_.empty() || session_ != number) {
        fail("I1 a door was authorised by staff who had not signed in: " + o.by);
    }
    if (world_.now - session_at_ > 5 * minute + 20 * second || world_.now - session_began_ > 12 * hour + minute) {
        fail("I3 a door was authorised by a session that was over: " + o.by);
    }
    const auto at = people_.find(number);
    if (at == people_.end() || at->second.suspended) {
        fail("I3 a door was authorised by staff who are suspended or gone: " + o.by);
    }
    const auto may = [&](const char* what) { return at->second.permits.count(what) != 0; };
    const bool intake = kinds_[o.dep] == "intake";
    const bool allowed = o.purpose == "collect"   ? intake && may("collect_intake")
                         : o.purpose == "deposit" ? !intake && may("deposit_return")
                         : o.purpose == "settle"
                             ? may("settle") || (!o.dep.empty() && may("reclaim_overdue"))
                             : may("open_any") || (may("maintain") && tenants_.count(o.compartment) == 0) ||
                                   (may("settle") && forced_.count(o.compartment) != 0);
    if (!allowed) {
        fail("I1 staff number " + number + " may not open for " + o.purpose);
    }
    o.known_authority = true;
}

void auditor::take_authorised(opening& o, const boost::json::object& data, bool live) {
    if (o.by.starts_with("grant:")) {
        const bool goes_on = data.contains("after");
        o.why = take_grant(o.by, live, goes_on);
        o.known_authority = true;
        const std::string via = text_of(data, "via");
        if (live && !via.empty() && o.why.epoch != (via == "mqtt" ? epoch_ : "")) {
            fail("I3 grant " + o.why.jti +
                 (via == "mqtt" ? " is not for MQTT, or of an earlier start" : " is for MQTT alone"));
        }
        const bool by_deposit = o.why.act == "deposit" || o.why.act == "collect";
        if (by_deposit ? o.why.dep != o.dep : o.why.compartment != o.compartment) {
            fail("I2 grant " + o.why.jti + " opens another door than its own");
        }
        return;
    }
    if (o.by.starts_with("staff:")) {
        if (live && !data.contains("after")) {
            take_staff_opening(o);
        }
        return;
    }
    if (!live) {
        return;  // whose entry it was nobody saw: nothing is pulsed for it any more
    }
    const auto typed = codes_.find(entered_);
    if (o.by != "code" || typed == codes_.end()) {
        fail("I1 a door was authorised by nothing that was given out: " + o.by);
    }
    for (const auto& [dep, issue] : typed->second) {
        if (dep == o.dep) {
            o.why = {"code", dep, 0, "", INT64_MAX, issue, "", "", 0};
            o.known_authority = true;
            auto& s = spent_[dep];
            if (front_ && locked_out()) {
                const auto own = own_.find(dep);
                if (door_ == 0 || (own != own_.end() && own->second.surely_empty(world_.now))) {
                    fail("I3 a code opened a door while the keypad was locked out");
                }
            }
            // Within the grace the code of a collection counts, also of one that was called unknown at first.
            if (const auto doubt = s.unknown.find(issue); doubt != s.unknown.end() && states_[dep] != "retrieved") {
                const bool late = !clock_faulty && world_.now - doubt->second.since > 10 * minute + tolerance_ms;
                if (++doubt->second.openings > 3 || late) {
                    fail("I2 issue " + std::to_string(issue) + " of " + dep + " outlived its unknown outcome");
                }
            }
            const bool in_grace = s.closed_at != 0 && world_.now <= s.closed_at + grace_ms + tolerance_ms;
            o.grace = states_[dep] == "retrieved";
            if (o.grace && (!in_grace || s.last != issue)) {
                fail("I3 a code of deposit " + dep + " opened it after it had ended");
            }
            if (!o.grace && issue < s.next) {
                fail("I2 issue " + std::to_string(issue) + " of " + dep + " was spent, and opened a door again");
            }
            return;
        }
    }
    fail("I1 a code opened the door of another deposit: " + o.dep);
}

void auditor::pulse_left(int compartment, std::int64_t length_ms, std::int64_t longest_ms, int supply) {
    if (length_ms > longest_ms) {
        fail("I9 a coil was commanded on for " + std::to_string(length_ms) + " ms");
    }
    if (world_.now < coil_free_[supply]) {
        fail("I9 two coils at once on one supply");
    }
    coil_free_[supply] = world_.now + length_ms;
    opening* found = nullptr;
    for (auto at = openings_.rbegin(); at != openings_.rend() && found == nullptr; ++at) {
        if (at->second.compartment == compartment) {
            found = &at->second;
        }
    }
    if (found == nullptr || !found->outcome.empty()) {
        fail("I1 door " + std::to_string(compartment) + " was pulsed without a committed authorisation");
    }
    if (found->run != run_) {
        fail("I2 door " + std::to_string(compartment) + " was pulsed for an opening of an earlier start");
    }
    ++found->pulses;
    if (found->first_pulse_at < 0) {
        found->first_pulse_at = world_.now;
    }
    if (found->pulses > 3 || world_.now - found->authorised_at > 9500) {
        fail("I2 too many pulses, or too late, for one opening");
    }
    if (!clock_faulty && found->why.expires != INT64_MAX && world_.true_wall() > found->why.expires + 100) {
        fail("I3 a pulse after the authority's end");
    }
    latest_[compartment] = world_.now;
    pulsed_.insert(found->dep);
}

void auditor::door_opened(int compartment) {
    truly_opened_[compartment] = world_.now;
}

// Rows leave by age, once others have them, and what stays is still a chain (I5, I7).
void auditor::take_pruned(const locker::ledger_row& row, const boost::json::object& data) {
    const auto last = static_cast<std::uint64_t>(number_of(data, "last"));
    if (number_of(data, "first") != static_cast<std::int64_t>(pruned_ + 1) || last <= pruned_ || last >= row.sequence) {
        fail("I7 " + std::to_string(row.sequence) + " says that other rows left than could");
    }
    const auto& gone = row_at(last);
    if (text_of(data, "hash") != hex(gone.hash)) {
        fail("I7 the hash of row " + std::to_string(last) + ", which left, is not what it was");
    }
    if (last >= next_published_) {
        fail("I5 row " + std::to_string(last) + " left before it was published");
    }
    if (row.wall_ms - gone.wall_ms < ledger_keep) {
        fail("I5 row " + std::to_string(last) + " left when it was too young");
    }
    pruned_ = last;
}

void auditor::replayed(std::uint64_t sequence, const std::string& payload) {
    if (sequence == 0 || sequence > rows_.size()) {
        fail("I5 event " + std::to_string(sequence) + " was published before it was committed");
    }
    const auto& row = row_at(sequence);
    const auto event = boost::json::parse(payload).as_object();
    if (text_of(event, "sequence") != text_of(event, "id") || std::stoull(text_of(event, "sequence")) != sequence ||
        text_of(event, "subject") != row.subject || text_of(event, "ledgerhead") != hex(row.hash) ||
        text_of(event, "type") != "locker." + row.type ||
        boost::json::serialize(event.at("data")) != boost::json::serialize(boost::json::parse(row.data))) {
        fail("I5 event " + std::to_string(sequence) + " is not told as the ledger holds it: " + payload);
    }
}

void auditor::published(const std::string& type, std::uint64_t sequence, const std::string& payload) {
    replayed(sequence, payload);
    if (type != row_at(sequence).type) {
        fail("I5 event " + std::to_string(sequence) + " went to the topic of another type");
    }
    if (seen_.count(sequence) == 0) {
        if (sequence != next_published_) {
            fail("I5 event " + std::to_string(sequence) + " came before " + std::to_string(next_published_));
        }
        seen_.insert(sequence);
        ++next_published_;
    }
}

void auditor::answered(const std::string& code, bool front, int door) {
    if (!front || code != "wrong_code") {
        return;
    }
    const bool staff = door > 999;
    if (const std::string number = std::to_string(door);
        staff && people_.count(number) != 0 && ++failures_[number] > 10) {
        fail("I6 more than ten wrong codes in a row, and staff number " + number + " is not suspended");
    }
    if (door == 0 || staff) {
        if (locked_out()) {
            fail("I6 a guess was judged while the keypad must be locked out");
        }
        fast_.charge(world_.now);
        slow_.charge(world_.now);
    } else if (locked_out() && tenants_.count(door) != 0) {
        auto& own = own_.try_emplace(tenants_[door], 5, 6 * hour).first->second;
        if (own.surely_empty(world_.now)) {
            fail("I6 a sixth guess at one deposit was judged within the time of five");
        }
        own.charge(world_.now);
    }
}

void auditor::somebody_found(int compartment, const std::string& wanted, const std::string& found) {
    if (!found.empty() && found != wanted) {
        fail("I10 who came for " + wanted + " found the papers of " + found + " behind door " +
             std::to_string(compartment));
    }
}

void auditor::drained(std::uint64_t head) {
    if (head != rows_.size()) {
        fail("I5 the ledger ends at " + std::to_string(head) + ", committed were " + std::to_string(rows_.size()));
    }
    if (next_published_ != head + 1) {
        fail("I5 event " + std::to_string(next_published_) + " of " + std::to_string(head) + " was never published");
    }
    for (const auto& [id, o] : openings_) {
        if (o.outcome.empty()) {
            fail("I4 opening " + std::to_string(id) + " never got an outcome");
        }
    }
}

}  // namespace sim
