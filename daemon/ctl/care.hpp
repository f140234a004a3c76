// `lockerctl backup`, `restore`, `upgrade-check`: what keeps a cabinet's state over the years.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/app/config.hpp"
#include "daemon/ctl/entries.hpp"

namespace CLI {
class App;
}

namespace locker {

constexpr int exit_config = 78;  // as lockerd --check-config

constexpr std::string_view default_config = "/etc/cloud-locker/lockerd.toml";

// The settings, or nothing, with all mistakes said.
[[nodiscard]] std::optional<settings> settings_of(const std::string& config);
[[nodiscard]] std::string database_of(const settings& s);
// What root's tools make in lockerd's folder is lockerd's.
void give_to_owner_of(const std::string& folder, const std::string& file);

// `code` becomes the exit code of what was asked for. `o` outlives the parsing.
void add_care(CLI::App& app, const options& o, int& code);

}  // namespace locker
