// The ledger's oldest rows leave by age and size alone (design §4), and what leaves is vouched for: `ledger.pruned` has
// the hash of the last row that went, so that what stays is still a chain (protocol/LEDGER.md).
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// Announces, and a month later takes a few rows with each call, while nobody opens a door. Rows that the broker has not
// acknowledged stay.
void advance_retention(work& w);

}  // namespace locker::core
