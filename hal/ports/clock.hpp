// Time, as it is handed to the core.
#pragma once

#include <cstdint>
#include <string>

namespace locker {

// Both clocks at one moment. `wall_ms`: milliseconds since 1970, may jump. `mono_ms`: milliseconds since the kernel
// started, sleep included (CLOCK_BOOTTIME), never jumps, starts over at a boot.
struct moment {
    std::int64_t wall_ms = 0;
    std::int64_t mono_ms = 0;
};

class clock_port {
public:
    virtual ~clock_port() = default;
    [[nodiscard]] virtual moment now() const = 0;
    // Monotonic microseconds from any start, to measure with.
    [[nodiscard]] virtual std::int64_t now_us() const = 0;
    // True when the wall clock may be believed: the kernel says synchronised, or a battery-backed clock is declared.
    [[nodiscard]] virtual bool trusted() const = 0;
    // Changes with each boot of the kernel: tells whether an earlier `mono_ms` can be compared with today's.
    [[nodiscard]] virtual std::string boot_id() const = 0;
};

}  // namespace locker
