#include "hal/line/turns.hpp"

#include <algorithm>

namespace locker {

namespace {
constexpr std::int64_t starved_ms = 1000;  // even while a door is watched every board gets a turn so often
constexpr std::int64_t first_pause_ms = 500;
constexpr std::int64_t longest_pause_ms = 30'000;
constexpr std::int64_t probe_share = 100;  // a probe costs one timeout: at most 1 % of line time
}  // namespace

turns::turns(const std::vector<bool>& has_inputs, std::int64_t pace_ms) : pace_(pace_ms) {
    for (const bool has : has_inputs) {
        state_.emplace_back().has_inputs = has;
    }
}

turns::turn turns::next(std::int64_t now) const {
    const bool watching =
        std::any_of(state_.begin(), state_.end(), [&](const one& b) { return b.watched_until > now; });
    int best = -1;
    std::uint64_t longest = UINT64_MAX;
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
        } else if (b.turn < longest) {
            best = static_cast<int>(i);
            longest = b.turn;
        }
    }
    if (best >= 0) {
        return {best, now};
    }
    return {-1, soonest == INT64_MAX ? now + starved_ms : soonest};
}

void turns::asked(one& b, std::int64_t now) {
    b.turn = ++turns_;
    b.last = now;
}

void turns::answered(int board, std::int64_t now) {
    auto& b = state_.at(static_cast<std::size_t>(board));
    b.misses = 0;
    b.pause = 0;
    asked(b, now);
    b.due = now + (b.has_inputs ? pace_ : sign_of_life_ms);
}

void turns::silent(int board, std::int64_t now, std::int64_t cost_ms) {
    auto& b = state_.at(static_cast<std::size_t>(board));
    asked(b, now);
    ++b.misses;
    if (b.misses < misses_to_lose) {
        b.due = now;  // one frame lost to noise is no lost board
        return;
    }
    b.watched_until = 0;
    const std::int64_t fair = std::max(cost_ms * probe_share, first_pause_ms);
    b.pause = b.pause == 0 ? first_pause_ms : std::min(b.pause * 2, std::max(fair, longest_pause_ms));
    b.due = now + std::min(b.pause, fair);
}

void turns::watch(int board, std::int64_t until) {
    auto& b = state_.at(static_cast<std::size_t>(board));
    b.watched_until = std::max(b.watched_until, until);
}

}  // namespace locker
