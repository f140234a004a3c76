#include "hal/line/turns.hpp"

#include <algorithm>

namespace locker {

namespace {
constexpr std::int64_t starved_ms = 1000;  // even while a door is watched every board gets a turn so often
constexpr std::int64_t longest_pause_ms = 30'000;
constexpr std::int64_t probe_share = 100;  // a probe costs one timeout: at most 1 % of line time
}  // namespace

turns::turns(const std::vector<peer>& boards) {
    for (const auto& b : boards) {
        state_.push_back({b, INT64_MIN, 0, 0, 0, 0});
    }
}

turns::turn turns::next(std::int64_t now) const {
    const bool watching =
        std::any_of(state_.begin(), state_.end(), [&](const one& b) { return b.watched_until > now; });
    int best = -1;
    std::int64_t best_last = INT64_MAX;
    std::int64_t soonest = INT64_MAX;
    for (std::size_t i = 0; i < state_.size(); ++i) {
        const auto& b = state_[i];
        const bool watched = b.watched_until > now;
        const bool starved = b.misses == 0 && (b.last == INT64_MIN || now - b.last >= starved_ms);
        if (watching && !watched && !starved) {
            continue;  // no probe of a silent board while somebody stands at a door
        }
        const std::int64_t due = watched ? now : b.due;
        if (due > now) {
            soonest = std::min(soonest, due);
        } else if (b.last < best_last) {
            best = static_cast<int>(i);
            best_last = b.last;
        }
    }
    if (best >= 0) {
        return {best, now};
    }
    return {-1, soonest == INT64_MAX ? now + starved_ms : soonest};
}

void turns::answered(int board, std::int64_t now) {
    auto& b = state_.at(static_cast<std::size_t>(board));
    b.misses = 0;
    b.pause = 0;
    b.last = now;
    b.due = b.what.has_inputs ? now : now + sign_of_life_ms;
}

void turns::silent(int board, std::int64_t now) {
    auto& b = state_.at(static_cast<std::size_t>(board));
    b.last = now;
    ++b.misses;
    if (b.misses < misses_to_lose) {
        b.due = now;  // one frame lost to noise is no lost board
        return;
    }
    b.watched_until = 0;
    const std::int64_t least = std::max<std::int64_t>(500, b.what.timeout_ms);
    const std::int64_t fair = std::min(longest_pause_ms, b.what.timeout_ms * probe_share);
    b.pause = b.pause == 0 ? least : std::min(b.pause * 2, fair);
    b.due = now + b.pause;
}

void turns::watch(int board, std::int64_t until) {
    auto& b = state_.at(static_cast<std::size_t>(board));
    b.watched_until = std::max(b.watched_until, until);
}

}  // namespace locker
