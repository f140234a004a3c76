#include "hal/line/governor.hpp"

#include <algorithm>

#include "hal/ports/canary.hpp"

namespace locker {

namespace {
constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t stagger_ms = 50;  // the supply recovers between two coils
}  // namespace

void governor::add(int lock, int supply, const lock_limits& limits) {
    const std::lock_guard guard(mutex_);
    coils_.insert_or_assign(lock, coil{limits, supply, 0, {}});
    supply_free_.try_emplace(supply, 0);
}

std::int64_t governor::length(int lock) const {
    const std::lock_guard guard(mutex_);
    const auto& limits = coils_.at(lock).limits;
    if (sick(canary::coil_on_for_a_minute)) {
        return minute_ms;
    }
    return std::min(limits.pulse_ms, limits.pulse_max_ms);
}

std::int64_t governor::earliest(int lock, std::int64_t now) const {
    const std::lock_guard guard(mutex_);
    return earliest_of(lock, now);
}

std::int64_t governor::earliest_of(int lock, std::int64_t now) const {
    const auto& c = coils_.at(lock);
    std::int64_t at = std::max({now, c.cool_until, supply_free_.at(c.supply)});
    const auto recent = std::count_if(c.begun.begin(), c.begun.end(), [&](auto t) { return t > at - minute_ms; });
    if (recent >= c.limits.pulses_per_minute) {
        at = std::max(at, c.begun[c.begun.size() - static_cast<std::size_t>(c.limits.pulses_per_minute)] + minute_ms);
    }
    return at;
}

bool governor::claim(int lock, std::int64_t now) {
    const std::lock_guard guard(mutex_);
    if (earliest_of(lock, now) > now) {
        return false;
    }
    auto& c = coils_.at(lock);
    const std::int64_t end = now + std::min(c.limits.pulse_ms, c.limits.pulse_max_ms);
    c.cool_until = end + c.limits.cool_down_ms;
    supply_free_[c.supply] = end + stagger_ms;
    while (!c.begun.empty() && c.begun.front() <= now - minute_ms) {
        c.begun.pop_front();
    }
    c.begun.push_back(now);
    return true;
}

}  // namespace locker
