// One step's scratch: the draft of the state, what it says to the ledger, and what happens once that is on disk.
// Domain functions take a `work&`, change the draft and add effects; cabinet.cpp commits or drops the whole.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/effects.hpp"
#include "daemon/core/state.hpp"
#include "hal/ports/clock.hpp"
#include "hal/ports/store.hpp"
#include "protocol/error.hpp"
#include "protocol/event.hpp"
#include "protocol/topic.hpp"

namespace locker::core {

// Milliseconds since 1970 as the cabinet judges them: the trusted wall clock, else the persisted floor running on
// (timekeeping.cpp).
[[nodiscard]] std::int64_t judged_time(const state& s, moment now, std::int64_t age);

class work {
public:
    work(const cabinet_config& c, const archive& a, state draft, moment at, std::int64_t cabinet_age);

    const cabinet_config& config;
    const archive& past;
    state s;
    const moment now;
    const std::int64_t age;
    std::int64_t wall = 0;  // judged time, milliseconds since 1970

    std::vector<ledger_row> rows;
    std::vector<state_write> extra;    // rows outside the working set: used grants, remembered commands, ended deposits
    std::uint64_t forget_through = 0;  // ledger rows up to this one leave with this transaction; 0: none
    effects after;                     // executed once all of this is committed
    bool hint_only = false;            // what changed may be lost in a power cut (see openings.cpp)
    std::int64_t wake = std::numeric_limits<std::int64_t>::max();  // monotonic: the next deadline

    [[nodiscard]] std::int64_t next_sequence() const { return static_cast<std::int64_t>(s.d.m.sequence) + 1; }
    void say(event_type type, std::string subject, const event_data& data);
    void count(std::string_view counter) { ++s.l.counters[std::string(counter)]; }
    void note_line(note::level level, std::string text) { after.push_back(note{level, std::move(text)}); }

    // A deadline in monotonic time; true when it has passed. What has not passed is remembered for the next wake-up.
    [[nodiscard]] bool due(std::int64_t mono_ms) {
        if (now.mono_ms >= mono_ms) {
            return true;
        }
        wake = std::min(wake, mono_ms);
        return false;
    }
    [[nodiscard]] bool due_age(std::int64_t at_age) { return due(now.mono_ms + (at_age - age)); }

    [[nodiscard]] const compartment_config& configured(int number) const;
    [[nodiscard]] compartment& at(int number) { return s.d.compartments.at(number); }
    [[nodiscard]] deposit* find_deposit(std::string_view id);

    // Answers whoever waits. The reply to a command is remembered by its caller where the contract wants it.
    void answer(const asker& who, const std::string& reply);
    void answer_error(const asker& who, const refusal& why);
};

[[nodiscard]] inline std::string subject_of(int compartment) {
    return "compartment/" + std::to_string(compartment);
}

// Members that most events about a deposit or an opening share.
[[nodiscard]] event_data data_of(const deposit& d);
[[nodiscard]] event_data data_of(const opening& o, const deposit* d);

[[nodiscard]] use_state use_of(const durable& d, const compartment& c);

// Turns a verdict over somebody's attempt into a credential.refused event, at most 1/s (burst 20), the rest counted.
// `staff`: the number, where it is one of the roster.
void say_refused(work& w, error_code reason, std::string_view via, int compartment = 0, std::string_view staff = "");
void say_counted_refusals(work& w);

// Taken a moment ago: the same code, or a grant, opens the same door again.
[[nodiscard]] bool in_grace(const work& w, const deposit& d);

// What the owner of a reclaimed deposit is told.
[[nodiscard]] refusal with_the_staff();

// A compartment about which the ledger can no longer vouch.
void suspect(work& w, compartment& c, std::string_view reason);
inline constexpr std::string_view forced_open = "its door was opened without an opening";
// Why staff should look into it: a suspicion, or a door that was forced while a deposit lay behind it. Empty: nothing.
[[nodiscard]] std::string_view doubt_about(const compartment& c);

// Takes a deposit out of the working set: it has ended, its id stays known and is never used again.
void end_deposit(work& w, deposit& d, deposit_state how, std::int64_t grace_ms);

}  // namespace locker::core
