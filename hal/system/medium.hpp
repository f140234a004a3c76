#pragma once

#include <string>

#include "hal/ports/medium.hpp"

namespace locker {

// Of the medium that `folder` lies on. `sysfs`: the kernel's, but for tests. What cannot be read is left out: an SD
// card tells nothing of its life.
[[nodiscard]] medium_health health_of(const std::string& folder, const std::string& sysfs = "/sys");

}  // namespace locker
