// Doors as their contacts tell of them, openings or not (design §4).
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// The contact as it reads now; not known while its board is away or where there is none.
[[nodiscard]] contact contact_of(const work& w, int compartment);

// Doors without an opening: shut again, open already at the first look, or forced.
void advance_doors(work& w);

}  // namespace locker::core
