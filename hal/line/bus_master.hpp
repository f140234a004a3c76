// What a bus does next: pulses before polls, boards in turns, presence, relays dropped before a board's first poll, a
// line that is gone reopened for ever. Pure: time and the line's results are handed in; one action at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "hal/boards/profile.hpp"
#include "hal/line/governor.hpp"
#include "hal/line/line.hpp"
#include "hal/line/patience.hpp"
#include "hal/line/turns.hpp"
#include "hal/ports/lock_bus.hpp"

namespace locker {

struct bus_board {
    int index = 0;  // in the cabinet's configuration: reports carry it
    std::string name;
    int address = 1;
    board_profile profile;
};

struct bus_lock {
    int compartment = 0;
    int relay_board = 0;     // index in the cabinet's configuration
    int relay_channel = 0;   // from 0
    int contact_board = -1;  // to be watched after a pulse; -1: none, or on another bus
    int supply = 0;
    lock_limits limits;
};

struct bus_settings {
    line_settings line;
    std::vector<bus_board> boards;
    std::vector<bus_lock> locks;
};

struct line_report {
    std::string line;
    bool up = false;
    std::string why;
};

using bus_report = std::variant<pulse_report, inputs_report, board_report, line_report>;

struct line_action {
    enum class kind : std::uint8_t {
        wait,     // nothing to do before `until`, or an order
        open,     // the line
        drop,     // all relays of the board
        read,     // all inputs of the board
        pulse,    // one relay of the board, for `length_ms`
        release,  // the same relay off, when the board has no timer of its own
        output,   // as a pulse, of a relay that drives no lock
    };
    kind what = kind::wait;
    std::size_t board = 0;  // index in bus_settings::boards
    int channel = 0;        // from 0
    std::int64_t length_ms = 0;
    std::int64_t timeout_us = 0;  // how long the answer is waited for
    std::int64_t until = 0;       // monotonic
};

// What became of an action.
struct line_answer {
    line_result result = line_result::ok;
    std::uint32_t bits = 0;    // of a read
    std::int64_t took_us = 0;  // from the question's first bit to the answer's last
    bool line_open = true;     // afterwards
    std::string why;           // of a line that would not open
};

class bus_master {
public:
    // `guard` outlives the master; all buses of a cabinet share it, as they share supplies.
    bus_master(const bus_settings& settings, governor& guard);

    void order(const pulse_order& order) { orders_.push_back(order); }
    void order(const output_order& order);
    [[nodiscard]] bool serves(int compartment) const { return locks_.count(compartment) != 0; }
    [[nodiscard]] bool has_board(int cabinet_board) const { return local(cabinet_board) < boards_.size(); }

    // Every action but `wait` is followed by its `done`. Monotonic milliseconds.
    [[nodiscard]] line_action next(std::int64_t now);
    void done(const line_answer& answer, std::int64_t now);
    [[nodiscard]] std::vector<bus_report> take_reports();

    [[nodiscard]] const bus_counters& counters() const { return counters_; }

private:
    struct board_state {
        bus_board board;
        patience waits;
        bool present = false;
        bool told = false;     // presence was reported once
        bool dropped = false;  // relays were dropped since it appeared
        bool read = false;
        std::uint32_t bits = 0;
    };
    // A coil that lockerd itself has to switch off: the board has no timer.
    struct held {
        std::size_t board = 0;
        int channel = 0;
        int supply = 0;
        std::int64_t until = 0;  // then it is switched off …
        std::int64_t again = 0;  // … and again then, if that was not answered
    };
    bool serve_order(std::int64_t now, std::int64_t& wake);
    bool serve_output(std::int64_t now, std::int64_t& wake);
    void opened(const line_answer& answer, std::int64_t now);
    void asked(const line_answer& answer, std::int64_t now);
    void pulsed(const line_answer& answer, std::int64_t now);
    void released(const line_answer& answer, std::int64_t now);
    void let_go_unless_sent(const line_answer& answer);
    void hold(std::size_t board, int channel, int supply, std::int64_t until);
    void missed(std::size_t board, std::int64_t now);
    [[nodiscard]] std::int64_t next_release() const;
    [[nodiscard]] std::int64_t next_end(std::int64_t now) const;
    [[nodiscard]] std::int64_t longest_ms(line_action::kind what, std::size_t board) const;
    [[nodiscard]] std::int64_t waited_for(std::size_t board) const;  // microseconds
    [[nodiscard]] bool serve_release(std::int64_t now);
    void heard(std::size_t board, bool answered);
    void return_orders();
    void ask(line_action::kind what, std::size_t board);
    [[nodiscard]] std::size_t local(int cabinet_board) const;

    std::string line_name_;
    governor& guard_;
    turns turns_;
    std::vector<board_state> boards_;
    std::map<int, bus_lock> locks_;
    std::deque<pulse_order> orders_;
    std::deque<output_order> outputs_;
    bool polled_ = false;  // since the last output
    pulse_order sending_;
    std::vector<held> held_;
    line_action current_;
    bool line_open_ = false;
    bool line_told_up_ = false;
    bool line_told_ = false;
    std::int64_t reopen_pause_ = 0;
    std::int64_t reopen_at_ = 0;
    std::vector<bus_report> reports_;
    bus_counters counters_;
};

}  // namespace locker
