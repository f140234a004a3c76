// What is looked at before a cabinet goes on with a database: whose it is, what of it is still wired, whether its
// ledger begins and ends where it should.
#pragma once

#include "daemon/core/config.hpp"
#include "daemon/core/state.hpp"
#include "hal/ports/store.hpp"

namespace locker::core {

struct examined {
    durable content;
    bool ledger_holds = true;
};

// Throws archive_error when the working set cannot be read, wrong_database when it is not this cabinet's to go on with.
[[nodiscard]] examined examine(const cabinet_config& config, const archive& past);

}  // namespace locker::core
