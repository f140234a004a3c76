// Logs: events with key=value, to stderr (the journal takes them there). Never a code, a token or a key.
#pragma once

#include <string_view>

#include "daemon/runtime/engine.hpp"

namespace locker {

void start_log();
void log(log_level level, std::string_view line);

}  // namespace locker
