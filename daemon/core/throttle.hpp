// Leaky buckets against guessing (design §3). Integers only; time is the cabinet's age, so no clock jump refills one.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/core/config.hpp"

namespace locker::core {

// `capacity` charges at once, one back every `refill` ms. Kept as a debt in milliseconds that drains 1:1 with age.
struct bucket {
    std::int64_t debt = 0;
    std::int64_t at = 0;  // the age the debt was taken at
    bool operator==(const bucket&) const = default;

    [[nodiscard]] std::int64_t debt_at(std::int64_t age) const {
        const std::int64_t left = debt - (age - at);
        return left > 0 ? left : 0;
    }
    [[nodiscard]] bool empty(std::int64_t age, int capacity, std::int64_t refill) const {
        return debt_at(age) + refill > capacity * refill;
    }
    void charge(std::int64_t age, std::int64_t refill) {
        debt = debt_at(age) + refill;
        at = age;
    }
};

// The two buckets of one entry (the cabinet's front, or `verify` over MQTT), and its last charges for the alarm.
struct throttle {
    bucket fast;                        // 10, one back every 30 min
    bucket slow;                        // 60, one back every 12 h
    std::vector<std::int64_t> charges;  // ages of the last 30
    std::int64_t charged_ms = 0;        // wall time of the last, as it was said: an alarm's `since` never moves
    bool operator==(const throttle&) const = default;

    static constexpr int fast_capacity = 10;
    static constexpr std::int64_t fast_refill = 30 * minute;
    static constexpr int slow_capacity = 60;
    static constexpr std::int64_t slow_refill = 12 * hour;
    static constexpr std::size_t guessing = 30;

    [[nodiscard]] bool locked_out(std::int64_t age) const {
        return fast.empty(age, fast_capacity, fast_refill) || slow.empty(age, slow_capacity, slow_refill);
    }
    // The age at which the lock-out ends.
    [[nodiscard]] std::int64_t free_again(std::int64_t age) const;
    void charge(std::int64_t age);
    [[nodiscard]] bool guessing_alarm(std::int64_t age) const {
        return charges.size() == guessing && age - charges.front() <= day;
    }
};

// A deposit's own bucket, for `door # code` while the entry is locked out: 5, one back every 6 h.
inline constexpr int deposit_capacity = 5;
inline constexpr std::int64_t deposit_refill = 6 * hour;

}  // namespace locker::core
