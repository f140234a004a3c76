#include "daemon/core/ops.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/locks.hpp"
#include "daemon/core/staff.hpp"
#include "protocol/code.hpp"
#include "protocol/json.hpp"
#include "protocol/limits.hpp"

namespace locker::core {
namespace {

verdict renew_lock(work& w, int number) {
    if (w.s.d.compartments.count(number) == 0) {
        return refusal{error_code::unknown_compartment, fmt::format("there is no door {}", number)};
    }
    const auto lock = w.s.d.locks.find(number);
    if (lock != w.s.d.locks.end()) {
        const bool said = lock->second.said;
        lock->second = {};
        lock->second.said = said;  // … and now it is over
        say_wear(w, number);
    }
    auto& c = w.s.d.compartments.at(number);
    c.jams = 0;
    c.lock = lock_state::ok;
    event_data data;
    data.compartment = number;
    data.reason = "renewed";
    data.via = "socket";
    w.say(event_type::lock_released, subject_of(number), data);
    return fmt::format(R"({{"renewed":{}}})", number);
}

verdict suspect_all(work& w, std::string_view reason) {
    int count = 0;
    for (auto& [n, c] : w.s.d.compartments) {
        count += c.suspicion.empty() ? 1 : 0;
        suspect(w, c, reason);
    }
    return fmt::format(R"({{"suspected":{}}})", count);
}

// Somebody opened a door with its mechanical key: who and why is all that the ledger can know of it.
// `emptied`: what lay there was handed over by hand.
verdict record_mechanical(work& w, int number, const std::string& reason, bool emptied) {
    const auto at = w.s.d.compartments.find(number);
    if (at == w.s.d.compartments.end()) {
        return refusal{error_code::unknown_compartment, fmt::format("there is no door {}", number)};
    }
    auto* lies = w.find_deposit(at->second.deposit);
    if (emptied && (lies == nullptr || !lies->live())) {
        return refusal{error_code::wrong_state, fmt::format("no deposit lies behind door {}", number)};
    }
    auto data = lies != nullptr ? data_of(*lies) : event_data{};
    data.compartment = number;
    data.reason = reason;
    data.via = "socket";
    w.say(event_type::opening_mechanical, subject_of(number), data);
    if (emptied) {
        w.say(event_type::deposit_reclaimed, subject_of(number), data);
        end_deposit(w, *lies, deposit_state::reclaimed, 0);
    }
    suspect(w, at->second, "its door was opened with the mechanical key");
    return fmt::format(R"({{"recorded":{}}})", number);
}

// Somebody knows why the ledger does not hold: the alarm ends, and what is so now is where the next start begins to
// look. `log verify` goes on telling the truth.
verdict ledger_examined(work& w, const std::string& reason) {
    if (w.s.d.m.ledger_broken_ms == 0) {
        return refusal{error_code::wrong_state, "no alarm about the ledger stands"};
    }
    w.s.d.m.ledger_broken_ms = 0;
    if (const auto earliest = w.past.earliest(); earliest != 0) {
        w.s.d.kept.pruned = earliest - 1;
    }
    event_data data;
    data.reason = reason;
    data.via = "socket";
    w.say(event_type::ledger_examined, "", data);
    return std::string(R"({"examined":true})");
}

// {"record": JSON as text, "signature": hex}, of this cabinet, by whoever holds its key.
verdict record_wiring(work& w, const std::string& text) {
    const auto given = parse_object(text, 2 * limits::wiring_bytes);
    const auto record =
        given ? required_text(*given, "record", limits::wiring_bytes) : reading<std::string>(given.error());
    const auto signature = given ? required_text(*given, "signature", 64) : reading<std::string>(given.error());
    const auto inner =
        record ? parse_object(*record, limits::wiring_bytes) : reading<boost::json::object>(record.error());
    if (!inner || !signature) {
        return malformed("the wiring's record");
    }
    const auto& keys = w.config.cabinet_keys;
    const bool ours = std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
        return to_hex(wiring_signature(key, *record)) == *signature;
    });
    if (!ours) {
        return refusal{error_code::bad_signature, "the wiring's record is not signed with this cabinet's key"};
    }
    const auto* cabinet = inner->if_contains("cabinet");
    if (cabinet == nullptr || *cabinet != boost::json::string(w.config.id)) {
        return refusal{error_code::wrong_audience, "the wiring's record is of another cabinet"};
    }
    const std::string digest = to_hex(sha256(bytes_of(*record)));
    if (w.s.d.m.wiring != digest) {
        w.s.d.m.wiring = digest;
        event_data data;
        data.record = *record;
        data.signature = *signature;
        w.say(event_type::cabinet_wired, "", data);
    }
    return std::string("{}");
}

}  // namespace

verdict obey(work& w, const ops_order& order) {
    switch (order.what) {
        case ops_order::deed::lift_suspension:
            return lift_suspension(w, order.text, "");
        case ops_order::deed::suspect_all:
            return suspect_all(w, order.text);
        case ops_order::deed::lock_renewed:
            return renew_lock(w, order.number);
        case ops_order::deed::record_wiring:
            return record_wiring(w, order.text);
        case ops_order::deed::record_mechanical:
            return record_mechanical(w, order.number, order.text, false);
        case ops_order::deed::record_emptied:
            return record_mechanical(w, order.number, order.text, true);
        case ops_order::deed::ledger_examined:
            return ledger_examined(w, order.text);
    }
    return malformed("what is ordered");
}

}  // namespace locker::core
