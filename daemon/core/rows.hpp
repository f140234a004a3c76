// State rows as JSON documents, and what of the state differs.
#pragma once

#include <vector>

#include "daemon/core/state.hpp"
#include "hal/ports/store.hpp"

namespace locker::core {

// What to write so that the store, which holds `before`, holds `after`.
[[nodiscard]] std::vector<state_write> difference(const durable& before, const durable& after);

// Reads the working set. Throws damaged_archive when a row cannot be understood: a cabinet never starts on a guess.
[[nodiscard]] durable load(const archive& a);

[[nodiscard]] std::string encode_row(const deposit& d);

}  // namespace locker::core
