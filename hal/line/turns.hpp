// Whose turn it is on a line: fair turns over the boards, a pulsed board back to back, a silent board ever more rarely
// (design §6). Pure: time is handed in.
#pragma once

#include <cstdint>
#include <vector>

namespace locker {

class turns {
public:
    struct peer {
        bool has_inputs = true;
        std::int64_t timeout_ms = 150;
    };
    explicit turns(const std::vector<peer>& boards);

    struct turn {
        int board = -1;  // -1: nothing to do before `at`
        std::int64_t at = 0;
    };
    [[nodiscard]] turn next(std::int64_t now) const;

    void answered(int board, std::int64_t now);
    void silent(int board, std::int64_t now);
    // Reads the board back to back until then.
    void watch(int board, std::int64_t until);
    // A board without inputs needs no poll, only a sign of life.
    static constexpr std::int64_t sign_of_life_ms = 1000;
    static constexpr int misses_to_lose = 3;

    [[nodiscard]] bool lost(int board) const {
        return state_.at(static_cast<std::size_t>(board)).misses >= misses_to_lose;
    }

private:
    struct one {
        peer what;
        std::int64_t last = INT64_MIN;  // when it was last asked
        std::int64_t due = 0;
        std::int64_t watched_until = 0;
        int misses = 0;
        std::int64_t pause = 0;
    };
    std::vector<one> state_;
};

}  // namespace locker
