// `lockerctl retire`: a cabinet that is taken away leaves nothing on the broker: neither a tile on a dashboard nor a
// device in Home Assistant.
#pragma once

#include "daemon/ctl/entries.hpp"

namespace CLI {
class App;
}

namespace locker {

// `code` becomes the exit code. `o` outlives the parsing.
void add_retire(CLI::App& app, const options& o, int& code);

}  // namespace locker
