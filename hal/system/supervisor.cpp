#include "hal/system/supervisor.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace locker {
namespace {

std::string taken(const char* name) {
    const char* value = std::getenv(name);
    std::string out = value == nullptr ? "" : value;
    ::unsetenv(name);
    return out;
}

}  // namespace

supervisor::supervisor() : socket_(taken("NOTIFY_SOCKET")) {
    const auto us = taken("WATCHDOG_USEC");
    const auto pid = taken("WATCHDOG_PID");
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(us.data(), us.data() + us.size(), value);
    const bool ours = pid.empty() || pid == std::to_string(::getpid());
    if (!socket_.empty() && ours && error == std::errc{} && end == us.data() + us.size() && value > 0) {
        watchdog_ms_ = value / 1000;
    }
}

// Never waits: a supervisor that does not read is no reason to stand still.
void supervisor::tell(std::string_view what) const {
    sockaddr_un to{};
    if (socket_.empty() || socket_.size() >= sizeof(to.sun_path)) {
        return;
    }
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, socket_.data(), socket_.size());
    if (to.sun_path[0] == '@') {
        to.sun_path[0] = '\0';  // unix(7): abstract
    }
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    (void)::sendto(fd, what.data(), what.size(), MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
                   length);
    ::close(fd);
}

}  // namespace locker
