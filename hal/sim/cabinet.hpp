// The physics: coils pull latches, springs push doors, contacts chatter, people push doors shut. Time is handed in;
// chance comes from one seed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hal/sim/config.hpp"

namespace sim {

struct door {
    door_config wired;
    bool open = false;
    bool latched = true;
    std::string content;             // what lies in it
    std::int64_t moved_ms = -1;      // when it last sprang open or fell shut
    std::int64_t energised_us = -1;  // when its coil was last switched on, monotonic
    int openings = 0;                // how often it was released, for tests that count
    // faults
    bool jammed = false;            // the latch does not let go
    std::int64_t slower_ms = 0;     // its latch wants the coil for so much longer
    bool cut = false;               // the contact's cable is cut: the input reads off
    bool welded = false;            // its relay sticks at the next pulse: the coil stays on
    std::int64_t self_shut_ms = 0;  // the door falls shut so long after it sprang open
    // motion
    std::int64_t coil_since = -1;
    std::int64_t moves_at = -1;
    bool moves_open = false;
    std::int64_t chatter_until = -1;
    std::int64_t opened_at = -1;
};

class cabinet {
public:
    explicit cabinet(const config& c);

    // Lets time pass in steps of a millisecond up to `now`. `coil(board, relay)` says whether a relay is on.
    template <typename Coil>
    void advance(std::int64_t now, Coil&& coil) {
        if (now - last_ > 2000) {
            last_ = now - 2000;
        }
        while (last_ < now) {
            ++last_;
            for (auto& d : doors_) {
                step(d, last_, coil(d.wired.board, d.wired.relay));
            }
        }
    }
    [[nodiscard]] bool input(int board, int channel);
    void drive(int board, int channel, bool on) { driven_[{board, channel}] = on; }
    [[nodiscard]] std::vector<door>& doors() { return doors_; }
    [[nodiscard]] door* find(int number);
    void push_shut(door& d);
    void pull_open(door& d);  // by force: latch or not

private:
    void step(door& d, std::int64_t now, bool coil);
    std::uint64_t chance();
    std::vector<door> doors_;
    std::map<std::pair<int, int>, bool> driven_;
    std::int64_t last_ = 0;
    std::int64_t push_after_ms_;
    std::uint64_t seed_;
};

}  // namespace sim
