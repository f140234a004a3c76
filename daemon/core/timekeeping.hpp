// What time it is for the cabinet (design §3). The floor is a line: it starts where time was last known, runs on with
// the cabinet's age, and judged time never goes below it.
#pragma once

#include "daemon/core/work.hpp"

namespace locker::core {

// Carries the floor on to this moment; the next commit keeps it. A trusted clock ahead of the floor raises it; one that
// lies behind slows it down to half speed until both meet: no clock that is set back makes time stand still.
void keep_time(state& s, moment now, std::int64_t age);

// The floor at this moment, milliseconds since 1970.
[[nodiscard]] std::int64_t floor_now(const meta& m, std::int64_t age);

// The trusted clock lies more than a minute behind the floor: it is believed as little as an untrusted one.
[[nodiscard]] bool lies_behind(const state& s, moment now, std::int64_t age);

// The trusted clock has run ahead by more than a day in all since a signature last told the time: it does not raise the
// floor until one agrees.
[[nodiscard]] bool steps_ahead(const state& s, moment now, std::int64_t age);

// Whether the wall clock tells the time: what staff codes and a policy ask for, and what `status` shows as trusted.
[[nodiscard]] bool clock_tells(const state& s, moment now, std::int64_t age);
[[nodiscard]] inline bool clock_tells(const work& w) {
    return clock_tells(w.s, w.now, w.age);
}

// A valid signature's `iat` was seen: it raises the time of a cabinet whose clock does not tell it.
void signed_time(work& w, std::int64_t iat_s);

// The one way for the floor to come down: the root's signature and the trusted clock agree.
void lower_floor(work& w);

}  // namespace locker::core
