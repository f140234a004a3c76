// The last guard of a coil, below all business logic and independent of it: longest pulse, cool-down,
// pulses per minute, one coil at a time per supply. One for all buses of a cabinet, called from all their threads; time
// is handed in.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

namespace locker {

// Milliseconds. From the lock's data sheet, not from taste.
struct lock_limits {
    std::int64_t pulse_ms = 500;       // what is asked for
    std::int64_t pulse_max_ms = 1000;  // never longer, whatever is asked
    std::int64_t cool_down_ms = 1500;  // after the end of a pulse
    int pulses_per_minute = 6;
};

class governor {
public:
    // `lock` is any number that stands for one coil; `supply` for what feeds it.
    void add(int lock, int supply, const lock_limits& limits);

    // The length the pulse may have.
    [[nodiscard]] std::int64_t length(int lock) const;

    // The earliest moment, not before `now`, at which the lock may be pulsed.
    [[nodiscard]] std::int64_t earliest(int lock, std::int64_t now) const;

    // True: the pulse may leave now, and counts as begun, whether or not it arrives. False: not before `earliest`.
    [[nodiscard]] bool claim(int lock, std::int64_t now);

private:
    [[nodiscard]] std::int64_t earliest_of(int lock, std::int64_t now) const;

    struct coil {
        lock_limits limits;
        int supply = 0;
        std::int64_t cool_until = 0;
        std::deque<std::int64_t> begun;  // within the last minute
    };
    mutable std::mutex mutex_;
    std::map<int, coil> coils_;
    std::map<int, std::int64_t> supply_free_;
};

}  // namespace locker
