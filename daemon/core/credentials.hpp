// Pickup codes and what a keypad, a scanner or the control socket may send.
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

struct code_attempt {
    std::string_view text;
    int compartment = 0;        // 0: no door number given
    std::string_view throttle;  // "front" or "verify": each has buckets of its own
    std::string_view via;
    std::string command;  // id of the command, or empty
    std::string digest;
    asker who;
};

void try_code(work& w, const code_attempt& attempt);

// One more wrong code at the cabinet's front.
void charge_front(work& w, std::string_view via);

[[nodiscard]] asker asker_of(std::uint64_t entry);

// "123 456 789" · "7#123456789" · "4711#123456", and then what staff want done · a grant.
void handle_entry(work& w, const entry& e);

}  // namespace locker::core
