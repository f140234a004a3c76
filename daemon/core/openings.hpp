// The life of an opening: authority committed (T1), pulses, exactly one outcome (T2), the door shut again (design §4).
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// Who may open what, already verified.
struct authority {
    purpose what = purpose::open;
    int compartment = 0;
    std::string deposit;
    std::string by;
    std::string second;  // who else, where two persons are asked for
    std::string via;
    std::string reason;  // why, where somebody says it
    std::optional<std::uint64_t> issue;
    bool grace = false;
    bool look = false;                   // staff were sent to look what lies there: it stays its owner's
    std::int64_t valid_for = INT64_MAX;  // milliseconds from now
    std::vector<warrant> warrants;       // none: a code
    std::string command;                 // id, remembered
    asker who;
};

// Whether an opening may begin there now. Errors: board_lost, busy.
[[nodiscard]] std::optional<refusal> hindrance(const work& w, int compartment);

// An opening there is under way, or its door was not yet seen shut.
[[nodiscard]] bool in_use(const work& w, int compartment);

// What an earlier opening there might still bring about ends: of one with outcome unknown, and of one whose closing
// nobody could see and that was not open for long enough to count.
void forget_unknown(work& w, int compartment);

// T1: the authorised event and the opening's row; the pulse follows once they are committed.
void authorise(work& w, const authority& a);

// Facts that hold whether or not they can be recorded now: what the line did, and what a contact said of a door that
// is being opened.
void take(state& s, moment now, const policy& rules, const pulse_report& report);
void watch(state& s, int compartment, bool open, std::int64_t at_ms);

// Everything that time and contacts bring about: pulses, outcomes, closings, doors held open.
void advance_openings(work& w);

// At start: openings of an earlier run wait for their doors to be read.
void recover_openings(work& w);

}  // namespace locker::core
