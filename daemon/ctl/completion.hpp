// Shell completion, made of the command line as it is: it cannot name what does not exist.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace locker {

[[nodiscard]] std::string bash_completion(const CLI::App& app);

}  // namespace locker
