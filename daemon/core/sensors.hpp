// What else the boards' inputs tell: mains and tamper switch.
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// Says what changed and has rested. Trouble outlives a restart and a silent board: it is over when it is seen to be.
void advance_sensors(work& w);

}  // namespace locker::core
