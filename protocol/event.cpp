#include "protocol/event.hpp"

#include <array>
#include <boost/json.hpp>

#include "protocol/timestamp.hpp"

namespace locker {
namespace {

constexpr std::array<std::string_view, event_type_count> names{
    "deposit.reserved",     "deposit.deposited",   "deposit.confirmed",
    "deposit.retrieved",    "deposit.cancelled",   "deposit.expired",
    "deposit.overdue",      "deposit.reminder",    "deposit.reclaimed",
    "deposit.moved",        "opening.authorised",  "opening.opened",
    "opening.closed",       "opening.jammed",      "opening.interrupted",
    "opening.unknown",      "credential.refused",  "credential.locked_out",
    "credential.suspended", "credential.revoked",  "staff.signed_in",
    "staff.signed_out",     "door.forced",         "door.held_open",
    "lock.quarantined",     "lock.released",       "lock.worn",
    "compartment.disabled", "compartment.enabled", "compartment.suspected",
    "compartment.settled",  "board.lost",          "board.recovered",
    "input.changed",        "clock.trusted",       "clock.untrusted",
    "clock.stepped",        "storage.low",         "storage.failed",
    "daemon.started",       "daemon.stopping",     "cabinet.wired",
    "opening.mechanical",   "ledger.pruned",       "ledger.examined",
};

}  // namespace

std::string_view name(event_type type) {
    return names[static_cast<std::size_t>(type)];
}

std::string encode(const event_data& data) {
    boost::json::object o;
    const auto put = [&o](std::string_view member, const auto& value) {
        if (value) {
            o[member] = boost::json::value_from(*value);
        }
    };
    put("deposit", data.deposit);
    put("case", data.case_id);
    put("kind", data.kind);
    put("compartment", data.compartment);
    put("opening", data.opening);
    put("purpose", data.purpose);
    put("by", data.by);
    put("via", data.via);
    put("reason", data.reason);
    put("staff", data.staff);
    put("second", data.second);
    if (data.until) {
        o["until"] = format_time(*data.until);
    }
    put("document", data.document);
    put("removed", data.removed);
    put("issue_min", data.issue_min);
    if (data.before) {
        o["before"] = format_time(*data.before);
    }
    put("step_ms", data.step_ms);
    put("from", data.from);
    put("after", data.after);
    put("open_ms", data.open_ms);
    put("out_ms", data.out_ms);
    put("recent_ms", data.recent_ms);
    put("usual_ms", data.usual_ms);
    put("retries", data.retries);
    put("bounced", data.bounced);
    put("recovered", data.recovered);
    put("unseen", data.unseen);
    put("count", data.count);
    put("board", data.board);
    put("record", data.record);
    put("signature", data.signature);
    put("input", data.input);
    put("state", data.state);
    put("first", data.first);
    put("last", data.last);
    put("hash", data.hash);
    put("version", data.version);
    put("epoch", data.epoch);
    return boost::json::serialize(o);
}

}  // namespace locker
