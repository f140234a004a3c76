// `lockerctl mint`: the words of the command line for mint.hpp.
#pragma once

namespace CLI {
class App;
}

namespace locker {

// `code` becomes the exit code of what was asked for.
void add_mint(CLI::App& app, int& code);

}  // namespace locker
