// One owner at a time for a state folder or a line, over all processes.
#pragma once

#include <string>

namespace locker {

class exclusive {
public:
    // Holds `file` (made when missing) until destroyed or the process ends, however it ends.
    // Throws std::runtime_error: "<what> is held by process 123 (lockerd)".
    exclusive(const std::string& file, const std::string& what);
    ~exclusive();
    exclusive(const exclusive&) = delete;
    exclusive& operator=(const exclusive&) = delete;

private:
    int fd_ = -1;
};

// The lock file that stands for a serial device or "host:port": in /run/lock, else in /tmp.
[[nodiscard]] std::string line_lock_file(const std::string& line);

}  // namespace locker
