// Whose turn it is on a line: fair turns over the boards, a pulsed board back to back, a silent board ever more rarely
// (design §6). Pure: time is handed in.
#pragma once

#include <cstdint>
#include <vector>

namespace locker {

class turns {
public:
    // One entry a board: whether it has inputs to be polled. `pace_ms`: a board that is not watched is polled no
    // oftener.
    explicit turns(const std::vector<bool>& has_inputs, std::int64_t pace_ms = 0);

    struct turn {
        int board = -1;  // -1: nothing to do before `at`
        std::int64_t at = 0;
    };
    [[nodiscard]] turn next(std::int64_t now) const;

    void answered(int board, std::int64_t now);
    // `cost_ms`: what the unanswered question took from the others.
    void silent(int board, std::int64_t now, std::int64_t cost_ms);
    // Reads the board back to back until then.
    void watch(int board, std::int64_t until);
    // A board without inputs needs no poll, only a sign of life.
    static constexpr std::int64_t sign_of_life_ms = 1000;
    static constexpr int misses_to_lose = 3;

    // Unanswered questions in a row.
    [[nodiscard]] int misses(int board) const { return state_.at(static_cast<std::size_t>(board)).misses; }
    [[nodiscard]] bool lost(int board) const { return misses(board) >= misses_to_lose; }

private:
    struct one {
        bool has_inputs = true;
        std::uint64_t turn = 0;         // of its last question: who waited longest is next, within a millisecond, too
        std::int64_t last = INT64_MIN;  // when that ended
        std::int64_t due = 0;
        std::int64_t watched_until = 0;
        int misses = 0;
        std::int64_t pause = 0;
    };
    void asked(one& b, std::int64_t now);
    std::vector<one> state_;
    std::int64_t pace_;
    std::uint64_t turns_ = 0;
};

}  // namespace locker
