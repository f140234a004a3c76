// Logs: events with key=value, to stderr (the journal takes them there). Never a code, a token or a key.
#pragma once

#include <string_view>

namespace locker {

enum class log_level : unsigned char { info, warning, error };

void start_log();
void log(log_level level, std::string_view line);

}  // namespace locker
