#include "portal/server/domain/limiter.hpp"

#include <algorithm>

namespace locker::portal {

void limiter::sweep(std::int64_t now_ms) {
    swept_at_ = now_ms;
    std::erase_if(buckets_, [&](const auto& b) { return b.second.full_at <= now_ms; });
}

void limiter::give_back(const std::string& name, bucket_rule rule) {
    if (const auto at = buckets_.find(name); at != buckets_.end()) {
        at->second.full_at -= rule.one_back_ms;
    }
}

// Of some few, the one that had the most left: a flood of new names costs strangers little, and nobody is shut out.
void limiter::forget_one() {
    constexpr int looked_at = 16;
    auto least = buckets_.begin();
    auto at = least;
    for (int i = 0; i < looked_at && at != buckets_.end(); ++i, ++at) {
        if (at->second.full_at < least->second.full_at) {
            least = at;
        }
    }
    buckets_.erase(least);
}

bool limiter::take(const std::string& name, bucket_rule rule, std::int64_t now_ms) {
    constexpr std::int64_t sweep_every_ms = 60'000;
    if (now_ms - swept_at_ > sweep_every_ms || now_ms < swept_at_) {
        sweep(now_ms);
    }
    auto at = buckets_.find(name);
    if (at == buckets_.end() && buckets_.size() >= names_most) {
        forget_one();
    }
    const std::int64_t full_at =
        std::max(at == buckets_.end() ? now_ms : at->second.full_at, now_ms) + rule.one_back_ms;
    if (full_at - now_ms > rule.most * rule.one_back_ms) {
        return false;
    }
    buckets_[name].full_at = full_at;
    return true;
}

}  // namespace locker::portal
