// Leaky buckets by name: so many at once, one back after so long. In memory: a restart forgives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace locker::portal {

struct bucket_rule {
    int most = 1;
    std::int64_t one_back_ms = 1000;
};

class limiter {
public:
    // False: it is empty. Names that are full again are forgotten; so is, when there are `names_most`, one of the
    // newest.
    [[nodiscard]] bool take(const std::string& name, bucket_rule rule, std::int64_t now_ms);

    // It was no abuse after all.
    void give_back(const std::string& name, bucket_rule rule);

    static constexpr std::size_t names_most = 20'000;

private:
    struct bucket {
        std::int64_t full_at = 0;  // ms; the later, the emptier
    };
    void sweep(std::int64_t now_ms);
    void forget_one();
    std::unordered_map<std::string, bucket> buckets_;
    std::int64_t swept_at_ = 0;
};

}  // namespace locker::portal
