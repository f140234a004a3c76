// Which compartment a new deposit gets (design §2): the smallest that fits, accessible when asked, the door used
// longest ago; intake leaves max(1, 10 %) of the compartments to returns.
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// Vacant, shut, with a working lock that can be reached, and out of every grace.
[[nodiscard]] bool allocatable(const work& w, const compartment& c);

struct wish {
    deposit_kind kind = deposit_kind::intake;
    box_size size = box_size::small;
    bool accessible = false;
    bool admitted = false;  // the deposit has a place already and moves on: the reserve for returns is open to it
};

// 0: no vacancy.
[[nodiscard]] int allocate(const work& w, const wish& wanted);

}  // namespace locker::core
