// Whoever started the daemon and would start it again: systemd, by its notify protocol (sd_notify(3)), a datagram each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace locker {

class supervisor {
public:
    // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are removed: nothing that is started later speaks for
    // us. Where there are none, nobody is told.
    supervisor();

    void ready() const { tell("READY=1"); }
    void stopping() const { tell("STOPPING=1"); }
    void alive() const { tell("WATCHDOG=1"); }

    // How often it wants to hear that all is alive, or it ends us: ms; 0: it does not.
    [[nodiscard]] std::int64_t watchdog_ms() const { return watchdog_ms_; }

private:
    void tell(std::string_view what) const;

    std::string socket_;
    std::int64_t watchdog_ms_ = 0;
};

}  // namespace locker
