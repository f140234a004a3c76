// Staff at the cabinet: signing in by code or grant, sessions, what a role permits, suspensions.
#pragma once

#include "daemon/core/deposits.hpp"
#include "daemon/core/effects.hpp"
#include "daemon/core/work.hpp"
#include "protocol/grant.hpp"
#include "protocol/staff.hpp"

namespace locker::core {

[[nodiscard]] bool suspended(const work& w, const staff_member& m);

// `sub` names a staff member who is suspended. `lifting`: by a grant that ends what wrong codes brought.
[[nodiscard]] std::optional<refusal> suspension(const work& w, std::string_view sub, bool lifting);

// "4711 # 123456": signs in at the terminal, or says why not.
void sign_in(work& w, const entry& e, std::string_view via, const staff_code& code);

[[nodiscard]] refusal suspended_refusal(const staff_member& m);

// Act `staff`: ends a suspension by wrong codes, and signs in at `terminal` (0: none).
[[nodiscard]] verdict staff_grant(work& w, const grant& g, const warrant& shown, std::uint64_t terminal,
                                  std::string_view via);

// By ops on the board.
[[nodiscard]] verdict lift_suspension(work& w, const std::string& number, const std::string& by);

// What somebody who has signed in wants done.
void do_deed(work& w, const entry& e, const session& at, const staff_deed& deed);

void end_session(work& w, std::uint64_t terminal, std::string_view reason);

// Sessions that are over: idle, removed from the roster, suspended.
void advance_sessions(work& w);

}  // namespace locker::core
