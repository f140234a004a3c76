// The cabinet in truth: doors, latches, contacts, boards and the line, behind Modbus-level replies, faults included.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "hal/line/bus_master.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/world.hpp"

namespace sim {

struct door {
    int number = 0;
    bool wired = true;         // has a contact …
    std::size_t board = 0;     // … on this board, which need not be its relay's
    unsigned channel = 0;      // … at this input
    bool closed_level = true;  // what the contact reads while the door is shut
    bool open = false;
    bool jammed = false;
    enum class contact { good, stuck_shut, stuck_open, inverted } feedback = contact::good;
    bool bouncing = false;  // reads the opposite for a moment
    std::int64_t opened_at = 0;
    std::set<std::string> papers;  // deposits whose papers lie in it
};

inline constexpr int mains_channel = 8;   // of the first board: on while there are mains …
inline constexpr int tamper_channel = 9;  // … and while the cabinet's inside is open

struct relay_board {
    bool silent = false;
    bool dropped = false;  // its relays, since the line was opened
    int garbled = 0;       // per mille of questions that do not arrive
    int mute = 0;          // per mille of answers that do not arrive
};

class hardware {
public:
    hardware(world& w, auditor& a) : world_(w), auditor_(a) {}

    std::vector<door> doors;
    std::vector<relay_board> boards;
    bool line_pulled = false;
    bool mains_gone = false;  // inputs 8 and 9 of the first board
    bool inside_open = false;
    int pulse_replies_lost = 0;  // per mille
    void forget_drops() {
        for (auto& b : boards) {
            b.dropped = false;
        }
        for (auto& c : on_) {
            c.disturbed = true;
        }
    }
    std::function<void()> changed;                  // something that a poll could see
    std::function<void(std::size_t board)> pulsed;  // the worst moment for a fault

    door& at(int number) { return doors.at(static_cast<std::size_t>(number - 1)); }
    void shut(int number);
    void set_open(int number);
    void touch() {
        if (changed) {
            changed();
        }
    }
    [[nodiscard]] bool quiet() const;    // nothing is wrong with line and boards
    [[nodiscard]] bool settled() const;  // … no contact is moving, and no relay waits to be switched off

    // What a master's action costs in time, and what comes of it; decided at its end.
    [[nodiscard]] std::int64_t cost(const locker::line_action& action) const;
    locker::line_answer execute(const locker::line_action& action, const locker::bus_settings& bus);

private:
    [[nodiscard]] std::uint32_t inputs(std::size_t board) const;
    void energise(std::size_t board, int channel, std::int64_t length_ms, const locker::bus_settings& bus);
    void switched_on(const locker::line_action& action, const locker::bus_settings& bus);
    void switched_off(std::size_t board, int channel);
    void overdue_coils(const locker::line_action& action) const;
    void disturb(std::size_t board);

    // A relay of a board without a timer: on until it is told otherwise.
    struct coil {
        std::size_t board = 0;
        int channel = 0;
        std::int64_t off_by = 0;
        bool disturbed = false;  // something that it was told did not arrive
    };

    world& world_;
    auditor& auditor_;
    std::vector<coil> on_;
};

}  // namespace sim
