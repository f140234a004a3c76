// What comes over MQTT, in the contract's order of checks.
#pragma once

#include <string_view>

#include "daemon/core/effects.hpp"
#include "daemon/core/work.hpp"

namespace locker::core {

void handle_command(work& w, std::string_view name, const message& m);

}  // namespace locker::core
