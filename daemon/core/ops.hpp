// What ops order on the board, through the control socket.
#pragma once

#include "daemon/core/deposits.hpp"
#include "daemon/core/work.hpp"

namespace locker::core {

[[nodiscard]] verdict obey(work& w, const ops_order& order);

}  // namespace locker::core
