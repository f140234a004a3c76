// The core: step(now, input) → effects. No I/O, no threads, no clock and no randomness of its own; what was committed
// is read through `archive`. One cabinet object is one start of lockerd.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/effects.hpp"
#include "daemon/core/state.hpp"
#include "daemon/core/view.hpp"
#include "hal/ports/clock.hpp"
#include "hal/ports/store.hpp"

namespace locker::core {

// Database and configuration do not belong together: nothing that a restart would mend.
struct wrong_database : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class cabinet {
public:
    // `past` outlives the cabinet. Throws archive_error when the working set cannot be read, wrong_database.
    cabinet(cabinet_config config, const archive& past);
    ~cabinet();
    cabinet(const cabinet&) = delete;
    cabinet& operator=(const cabinet&) = delete;

    // The first input is `started`. After an effect `commit` (always alone) the next input is its commit_done; every
    // other effect may be executed in order, at leisure.
    [[nodiscard]] effects step(moment now, const input& in);

    // A fact about the world (an inputs, pulse or board report) ahead of the step in which it counts: several that came
    // together are known before anything is decided. Not while a commit is under way.
    void see(moment now, const input& fact);
    // Whether such facts wait for a step: not every step looks at the doors.
    [[nodiscard]] bool facts_wait() const { return facts_wait_; }

    // Monotonic milliseconds at which a tick is due; INT64_MAX: none.
    [[nodiscard]] std::int64_t wake_at() const { return wake_at_; }

    // For status displays; JSON, the same as the snapshot command's result.
    [[nodiscard]] std::string snapshot(moment now) const;
    // How every lock ages; JSON.
    [[nodiscard]] std::string health(moment now) const;
    [[nodiscard]] const state& view() const { return state_; }
    [[nodiscard]] const cabinet_config& config() const { return config_; }

private:
    void begin(moment now, const started& in);
    [[nodiscard]] std::optional<effects> only_reads(moment now, const input& in) const;
    void learn(moment now, const input& in);
    effects conclude(work&& w, const input& in);
    effects committed(moment now, const commit_done& done);
    effects not_committed(moment now, commit_error error, const input& in);
    effects settle(work& w);
    void fill_outbox(effects& out);
    void move_mark(std::uint64_t sequence);
    void refresh_retained(const work& w, effects& out);
    [[nodiscard]] std::int64_t age(moment now) const;

    cabinet_config config_;
    const archive& past_;
    state state_;
    std::int64_t age_base_ = 0;
    std::int64_t mono_base_ = 0;
    std::int64_t wake_at_ = 0;

    std::optional<input> pending_input_;
    std::unique_ptr<work> pending_;

    std::map<std::string, std::string> retained_;  // as last sent over this connection
    encodings encodings_;
    bool facts_wait_ = false;
    bool ledger_broken_ = false;  // found so at this start
    std::uint64_t sent_ = 0;
    std::optional<started> unstarted_;      // the start, until it is recorded
    std::set<std::uint64_t> acknowledged_;  // beyond the mark
};

}  // namespace locker::core
