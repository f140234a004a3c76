// A cabinet's events, taken in: in their order, each once, in one transaction with what they mean for cases and with
// the notices that they cause.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

struct cabinet_event {
    std::string cabinet;
    std::uint64_t sequence = 0;
    std::string type;  // "deposit.deposited"
    boost::json::object data;
    std::string head{};      // of its ledger's chain, with it; empty: not known
    std::int64_t at_ms = 0;  // by the cabinet's clock; 0: not told
};

// Nothing: that is no event of this contract.
[[nodiscard]] std::optional<cabinet_event> parse_event(const std::string& cabinet, const boost::json::value& message);

enum class taken_in : std::uint8_t {
    now,
    before,   // a duplicate
    gap,      // an earlier one is missing: replay first
    other,    // the one that was taken in by this number had another hash: the cabinet has another ledger now
    unknown,  // no cabinet of ours
};
// Some of one cabinet, in their order, in one transaction. The result is that of the first that is `other` or `gap`,
// which ends it; `now` if any was new. Those before it stay taken in.
[[nodiscard]] taken_in take_in(office& o, const std::vector<cabinet_event>& events);

}  // namespace locker::portal
