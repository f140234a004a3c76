#include "daemon/core/examine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/core/cabinet.hpp"
#include "daemon/core/rows.hpp"
#include "protocol/limits.hpp"

namespace locker::core {
namespace {

// A compartment that is no longer configured is forgotten, unless something may lie in it.
void leave_out_removed(const cabinet_config& config, durable& d) {
    std::erase_if(d.compartments, [&](const auto& entry) {
        const auto& [number, c] = entry;
        const bool configured = std::any_of(config.compartments.begin(), config.compartments.end(),
                                            [n = number](const auto& wired) { return wired.number == n; });
        if (configured) {
            return false;
        }
        if (!c.deposit.empty() || !c.suspicion.empty()) {
            throw wrong_database(fmt::format(
                "compartment {} is not in the configuration, but {}; put it back into the configuration and settle it",
                number, c.deposit.empty() ? "something may lie in it" : "holds deposit " + c.deposit));
        }
        d.locks.erase(number);
        std::erase_if(d.openings, [n = number](const auto& o) { return o.second.compartment == n; });
        std::erase_if(d.deposits, [n = number](const auto& one) { return one.second.compartment == n; });
        return true;
    });
}

// Whether the ledger still begins and ends where the working set says, and its last rows hang together. All of it is
// checked by `lockerctl log verify`: at a start that would take too long.
bool holds(const archive& past, const durable& d) {
    const auto& m = d.m;
    if (past.earliest() != (m.sequence == 0 ? 0 : d.kept.pruned + 1)) {
        return false;  // its beginning was cut off
    }
    if (m.sequence == 0) {
        return true;
    }
    const std::uint64_t from = m.sequence > limits::rows_checked ? m.sequence - limits::rows_checked + 1 : 1;
    const auto rows = past.rows(from, UINT64_MAX, limits::rows_checked + 1);
    if (rows.empty() || rows.back().sequence != m.sequence || rows.back().hash != m.head) {
        return false;
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const bool follows =
            i == 0 || (rows[i].sequence == rows[i - 1].sequence + 1 && rows[i].previous == rows[i - 1].hash);
        if (!follows || ledger_hash(rows[i]) != rows[i].hash) {
            return false;
        }
    }
    return true;
}

}  // namespace

examined examine(const cabinet_config& config, const archive& past) {
    examined out;
    out.content = load(past);
    if (config.in_service && out.content.m.cabinet.empty()) {
        throw wrong_database(
            "the database is empty, and [state] must_exist says that it must be there: put back a backup "
            "with lockerctl restore");
    }
    if (!out.content.m.cabinet.empty() && out.content.m.cabinet != config.id) {
        throw wrong_database(
            fmt::format("the database is of cabinet {}, the configuration of {}; a cabinet keeps its own database: put "
                        "its own back, or begin with an empty state folder",
                        out.content.m.cabinet, config.id));
    }
    out.ledger_holds = holds(past, out.content);
    leave_out_removed(config, out.content);
    std::erase_if(out.content.sensors, [&](const auto& entry) {
        return std::none_of(config.sensors.begin(), config.sensors.end(),
                            [&](const auto& wired) { return wired.kind == entry.first; });
    });
    return out;
}

}  // namespace locker::core
