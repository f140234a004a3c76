// How each lock ages: what an opening tells of it, and when it is called worn, before it jams. docs/locks.md has the
// method and what it was tried on.
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// A door was seen open `latency_ms` after its board acknowledged the last of `pulses` pulses; -1: nobody knows.
void learn_opening(lock_health& lock, std::int64_t latency_ms, int pulses);
void learn_jam(lock_health& lock, int pulses);
[[nodiscard]] bool is_worn(const lock_health& lock);

// Says when a lock has become worn, or is as it was again.
void say_wear(work& w, int compartment);

[[nodiscard]] std::string health_json(const work& w);

}  // namespace locker::core
