// lockerd's configuration: one TOML file, read and validated once and completely. docs/configuration.md lists the keys.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "daemon/runtime/settings.hpp"

namespace locker {

struct config_error {
    int line = 0;  // 0: of the file as a whole
    std::string key;
    std::string what;  // what is wrong and what would be right
};

// Every mistake of the file at once, in the order of its lines.
[[nodiscard]] std::variant<settings, std::vector<config_error>> read_config(const std::string& file);

// "file:12: compartment.lock: …"
[[nodiscard]] std::string shown(const std::string& file, const config_error& e);

}  // namespace locker
