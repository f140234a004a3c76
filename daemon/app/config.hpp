// lockerd's configuration: one TOML file, read and validated once and completely. docs/configuration.md lists the keys.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "daemon/runtime/settings.hpp"
#include "hal/config/section.hpp"

namespace locker {

// Every mistake of the file at once, in the order of its lines.
[[nodiscard]] std::variant<settings, std::vector<config_error>> read_config(const std::string& file);

}  // namespace locker
