#include "daemon/core/throttle.hpp"

#include <algorithm>

namespace locker::core {

std::int64_t throttle::free_again(std::int64_t age) const {
    const std::int64_t fast_wait = fast.debt_at(age) - (fast_capacity - 1) * fast_refill;
    const std::int64_t slow_wait = slow.debt_at(age) - (slow_capacity - 1) * slow_refill;
    return age + std::max<std::int64_t>({fast_wait, slow_wait, 0});
}

void throttle::charge(std::int64_t age) {
    fast.charge(age, fast_refill);
    slow.charge(age, slow_refill);
    if (charges.size() == guessing) {
        charges.erase(charges.begin());
    }
    charges.push_back(age);
}

}  // namespace locker::core
