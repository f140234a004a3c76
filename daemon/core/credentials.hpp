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

// "123 456 789" · "7#123456789" · a grant.
void handle_entry(work& w, const entry& e);

}  // namespace locker::core
