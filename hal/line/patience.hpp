// How long a board is waited for, learnt from its answers (design §6). Pure; microseconds, from a question's first bit
// to its answer's last.
#pragma once

#include <algorithm>
#include <cstdint>

namespace locker {

class patience {
public:
    // Bounds of the profile: never shorter than a whole exchange on the wire with a margin for the host, never longer
    // than the profile's timeout.
    patience(std::int64_t shortest_us, std::int64_t longest_us)
        : shortest_us_(std::min(shortest_us, longest_us)), longest_us_(longest_us) {}

    // The slowest answer counts, and is forgotten over some two hundred faster ones.
    void answered(std::int64_t took_us) { slowest_us_ = std::max(took_us, slowest_us_ - (slowest_us_ - took_us) / 64); }

    // `misses` so far in a row. Twice what the board ever needed; longer after a miss, and the whole of the profile's
    // before the board is called lost. One that is lost costs its neighbours the short time, but for a rare probe: it
    // may come back as a slower one. Of one that was never heard nothing is known: there it is every eighth.
    [[nodiscard]] std::int64_t timeout_us(int misses, int misses_to_lose) const {
        const bool lost = misses >= misses_to_lose;
        const int rarely = slowest_us_ == 0 ? 8 : 64;
        if (lost ? misses % rarely == 0 : slowest_us_ == 0 || misses + 1 == misses_to_lose) {
            return longest_us_;
        }
        return lost ? short_us() : std::clamp(learnt_us() << misses, shortest_us_, longest_us_);
    }
    // What the board ever needed, without patience for a worse day.
    [[nodiscard]] std::int64_t short_us() const { return std::clamp(learnt_us(), shortest_us_, longest_us_); }

private:
    [[nodiscard]] std::int64_t learnt_us() const { return slowest_us_ == 0 ? 0 : 2 * slowest_us_ + margin_us; }

    static constexpr std::int64_t margin_us = 10'000;  // a busy host's
    std::int64_t shortest_us_;
    std::int64_t longest_us_;
    std::int64_t slowest_us_ = 0;
};

}  // namespace locker
