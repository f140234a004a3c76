// The one source of chance in a simulated world: an integer generator (SplitMix64), the same on every machine.
#pragma once

#include <cstdint>

namespace sim {

class chance_source {
public:
    explicit chance_source(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        return z ^ (z >> 31U);
    }
    // 0 … bound − 1
    std::int64_t below(std::int64_t bound) {
        return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(bound));
    }
    std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
    bool chance(std::int64_t per_mille) { return below(1000) < per_mille; }

private:
    std::uint64_t state_;
};

}  // namespace sim
