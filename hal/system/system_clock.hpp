// The system's clocks and randomness.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hal/ports/clock.hpp"

namespace locker {

class system_clock : public clock_port {
public:
    // `battery_backed`: a real-time clock is declared to keep time without power; then the wall clock is believed.
    explicit system_clock(bool battery_backed) : battery_backed_(battery_backed) {}
    [[nodiscard]] moment now() const override;
    [[nodiscard]] std::int64_t now_us() const override;
    [[nodiscard]] bool trusted() const override;
    [[nodiscard]] std::string boot_id() const override;

private:
    bool battery_backed_;
};

// From the kernel's generator; throws std::system_error when there is none.
[[nodiscard]] std::vector<unsigned char> random_bytes(std::size_t count);

}  // namespace locker
