// What goes into the core and what comes out of it. An adapter executes one effect and decides nothing.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "hal/ports/lock_bus.hpp"
#include "hal/ports/store.hpp"

namespace locker::core {

// ---- inputs

struct started {
    std::string epoch;  // random, new at each start of lockerd
    std::string boot;
    bool clock_trusted = false;
};
struct commit_done {
    commit_error error = commit_error::none;
};
struct message {
    std::string topic;
    std::string payload;
    bool retained = false;
    std::string response_topic;  // MQTT v5, or empty
    std::string correlation;
    bool overload = false;  // too many wait already: refused as busy
};
struct broker_up {};
struct broker_down {};
struct event_acknowledged {
    std::uint64_t sequence = 0;
};
enum class entry_via : std::uint8_t { keypad, scanner, socket };
struct entry {
    std::uint64_t id = 0;  // answered by an entry_answer with the same id
    entry_via via = entry_via::keypad;
    std::string text;
    std::uint64_t terminal = 0;  // where it was entered: a session of staff lives there
};
// A connection to the control socket has ended, and with it a session.
struct terminal_gone {
    std::uint64_t terminal = 0;
};
// What ops order on the board, through the control socket.
struct ops_order {
    enum class deed : std::uint8_t {
        lift_suspension,
        suspect_all,
        lock_renewed,
        record_wiring,
        record_mechanical,
        record_emptied,
        ledger_examined
    };
    std::uint64_t id = 0;  // answered by an entry_answer with the same id
    deed what = deed::lift_suspension;
    std::string text;  // a staff number; a reason; a wiring's record
    int number = 0;    // of a door: its lock is new, or it was opened with the key
};
struct clock_report {
    bool trusted = false;
};
struct space_report {
    bool low = false;
    bool worn = false;  // the medium should be changed while it still works
};
struct tick {};
struct stop {};

using input =
    std::variant<started, commit_done, message, broker_up, broker_down, event_acknowledged, entry, terminal_gone,
                 ops_order, clock_report, space_report, tick, stop, pulse_report, inputs_report, board_report>;

// ---- effects

// Executed at once and alone; the next input must be its commit_done.
struct commit {
    transaction tx;
};
struct pulse {
    pulse_order order;
};
struct publish {
    std::string topic;
    std::string payload;
    int qos = 1;
    bool retain = false;
    std::string correlation;
    std::uint64_t sequence = 0;  // of an event: event_acknowledged follows; 0: none
};
struct entry_answer {
    std::uint64_t id = 0;
    std::string reply;  // JSON, as a reply over MQTT
};
struct note {
    enum class level : std::uint8_t { info, warning, error };
    level severity = level::info;
    std::string text;  // event=… key=value …
};

using effect = std::variant<commit, pulse, publish, entry_answer, note>;
using effects = std::vector<effect>;

}  // namespace locker::core
