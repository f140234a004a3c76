// `lockerctl backup`, `restore`, `upgrade-check`: what keeps a cabinet's state over the years.
#pragma once

#include "daemon/ctl/entries.hpp"

namespace CLI {
class App;
}

namespace locker {

constexpr int exit_config = 78;  // as lockerd --check-config

// `code` becomes the exit code of what was asked for. `o` outlives the parsing.
void add_care(CLI::App& app, const options& o, int& code);

}  // namespace locker
