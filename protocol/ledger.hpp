// The ledger's row, its canonical encoding and hash (protocol/LEDGER.md), and the CloudEvent it leaves as.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/crypto.hpp"

namespace locker {

struct ledger_row {
    std::uint64_t sequence = 0;  // from 1, without a gap
    std::int64_t wall_ms = 0;    // milliseconds since 1970, as the cabinet judged the time
    std::int64_t mono_ms = 0;    // milliseconds since the kernel's boot
    std::string boot;            // the kernel's boot id
    std::string type;            // "deposit.reserved"
    std::string subject;         // "compartment/3", or empty
    std::string data;            // JSON object
    digest256 previous{};        // hash of the row before; zeros for the first
    digest256 hash{};
    bool operator==(const ledger_row&) const = default;
};

// SHA-256 over the canonical encoding of all members but `hash`.
[[nodiscard]] digest256 ledger_hash(const ledger_row& row);

// "00000000000000000042"
[[nodiscard]] std::string padded(std::uint64_t sequence);

// CloudEvents 1.0, structured JSON. `source` is the cabinet's topic root.
[[nodiscard]] std::string cloud_event(const ledger_row& row, std::string_view source);

}  // namespace locker
