// The cabinet's state. `durable` is what the store holds: after each step what differs is written, so nothing that
// matters can be forgotten. `live` is what is known since the start only.
//
// Ages: durable times are the cabinet's age in milliseconds, a clock that never runs backwards and never jumps: it
// counts monotonic time, across boots only by a trusted wall clock (design §3, refill).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/throttle.hpp"
#include "protocol/crypto.hpp"
#include "protocol/grant.hpp"
#include "protocol/staff.hpp"
#include "protocol/words.hpp"

namespace locker::core {

struct compartment {
    int number = 0;
    door_state door = door_state::unknown;  // last seen at rest
    lock_state lock = lock_state::ok;
    int jams = 0;         // in a row
    std::string deposit;  // the live deposit bound to it, or empty
    bool disabled = false;
    std::string suspicion;  // why something may lie in it that the ledger cannot vouch for; empty: no suspicion
    bool doubt = false;     // an opening of its deposit had no clear end: suspected when the deposit moves on or ends
    std::int64_t forced_ms = 0;   // wall time of a forced door not yet looked at; 0: none
    std::int64_t hold_until = 0;  // age: not allocated before (the grace)
    std::string grace_deposit;    // whose grace it is
    std::int64_t last_used = 0;   // age
    std::int64_t since_ms = 0;    // wall time of the last change people see
    bool operator==(const compartment&) const = default;
};

struct deposit {
    std::string id;
    deposit_kind kind = deposit_kind::intake;
    std::string case_id;
    box_size size = box_size::small;
    bool accessible = false;
    int compartment = 0;
    deposit_state state = deposit_state::reserved;
    std::int64_t since = 0;     // age at which `state` began
    std::int64_t since_ms = 0;  // the same as wall time
    bool pulsed = false;        // its door may have been open: only then something may lie in it
    bool unseen = false;        // an opening of it ended unknown or interrupted: the person's word may confirm it
    bool overdue = false;
    int reminders = 0;                           // said so far
    std::uint64_t issue_next = 0;                // n: the first code issue that is still good
    std::optional<std::uint64_t> spent_issue;    // the issue whose door was seen open, for bounce and grace
    std::optional<std::uint64_t> unknown_issue;  // the issue used by an opening with outcome unknown
    std::int64_t unknown_until = 0;              // age
    int unknown_left = 0;
    bucket own;
    bool operator==(const deposit&) const = default;
    [[nodiscard]] bool retrievable() const {
        return state == deposit_state::deposited || state == deposit_state::confirmed;
    }
    [[nodiscard]] bool live() const { return state == deposit_state::reserved || retrievable(); }
};

enum class purpose : std::uint8_t { deposit, collect, open, settle };
[[nodiscard]] std::string_view name(purpose p);
[[nodiscard]] std::optional<purpose> purpose_from(std::string_view text);

// One attempt to open one door. Kept until it has its outcome and its door was seen shut again.
struct opening {
    std::int64_t id = 0;  // the sequence of its opening.authorised event
    int compartment = 0;
    std::string deposit;
    purpose what = purpose::open;
    std::string by;
    std::optional<std::uint64_t> issue;  // of the code that authorised it
    bool grace = false;                  // a reopening within the grace: the deposit has ended already
    bool look = false;                   // staff look what lies there: a suspicion ends with it, the deposit stays
    outcome result = outcome::pending;
    std::int64_t opened_at = -1;  // age at which the door was seen open; -1: not yet
    std::int64_t opened_ms = 0;   // the same as wall time, as it was judged then
    bool late = false;            // … after a gap: how long it had been open nobody knows
    bool passed = false;          // it was open for the bounce time or longer
    bool held = false;            // door.held_open was said
    std::string command;          // the command to answer, or empty …
    std::string reply_topic;      // … and where: an outcome that comes after a restart is answered, too
    std::string correlation;
    bool operator==(const opening&) const = default;
};

// What a staff number has behind it; who may do what stands in the roster.
struct staff_record {
    int failures = 0;                  // wrong codes in a row
    int suspensions = 0;               // in a row: each lasts twice as long as the one before
    std::int64_t suspended_until = 0;  // age
    std::vector<std::int64_t> steps;   // TOTP steps that were used and are not long past …
    std::int64_t forgotten = 0;        // … and the highest of those that are
    bool operator==(const staff_record&) const = default;
};

// What a lock's openings tell of it. Latency: from the board's acknowledgement of a pulse to the door seen open.
struct lock_health {
    std::int64_t cycles = 0;   // openings that were seen
    std::int64_t retries = 0;  // pulses beyond the first
    std::int64_t jams = 0;
    std::int64_t bounces = 0;  // doors that fell shut again at once
    std::int64_t learnt = 0;   // openings that the usual latency comes from
    std::int64_t usual_us = 0;
    std::int64_t recent_us = 0;
    std::int64_t sum = 0;  // see locks.cpp
    bool worn = false;
    bool said = false;         // that it is worn …
    std::int64_t said_ms = 0;  // … and when, wall time
    bool operator==(const lock_health&) const = default;
};

// Mains or tamper switch, as it was told last.
struct sensor {
    bool trouble = false;
    std::int64_t since_ms = 0;  // wall
    bool operator==(const sensor&) const = default;
};

struct meta {
    std::int64_t age = 0;  // at the last commit
    std::int64_t mono_ms = 0;
    std::int64_t wall_ms = 0;
    std::string boot;
    bool trusted = false;
    // Time, see timekeeping.hpp. Milliseconds since 1970, and the age at which they were right; 0: never known.
    std::int64_t floor_ms = 0;
    std::int64_t floor_age = 0;
    bool slow = false;         // the floor runs at half speed: the trusted clock lies behind it
    std::int64_t told_ms = 0;  // as a signature told it last, or as the first trusted clock did
    std::int64_t told_age = 0;
    std::int64_t away_ms = 0;    // time between boots that was believed since a signature confirmed the clock
    std::uint64_t sequence = 0;  // the ledger's head
    digest256 head{};
    std::uint64_t published = 0;     // the outbox mark: all events up to it were acknowledged
    std::uint64_t acknowledged = 0;  // by `ack`; informs, never prunes
    std::int64_t ledger_broken_ms =
        0;                             // wall time at which a start found the ledger's end cut off or altered; 0: never
    std::int64_t grants_before_s = 0;  // grants issued earlier were revoked; seconds since 1970
    std::int64_t grants_kept_until = 0;  // age: no used grant is forgotten before
    bool restored = false;               // not known yet which grants were used since the backup
    std::string cabinet;                 // whose database this is
    std::string wiring;                  // digest of the record that the ledger has, hex
    std::vector<std::string> key_ids;    // of the cabinet keys at the last start
    bool operator==(const meta&) const = default;
};

// What has left the ledger. A row of its own: a release that does not know it leaves it as it is.
struct retention {
    std::uint64_t pruned = 0;   // the highest sequence that has left; 0: none
    std::int64_t prune_at = 0;  // age: from when on rows leave; 0: not announced …
    std::int64_t said_ms = 0;   // … and when it was, wall time
    bool operator==(const retention&) const = default;
};

struct durable {
    std::map<int, compartment> compartments;
    std::map<std::string, deposit, std::less<>> deposits;  // live ones, and those in their grace
    std::map<std::int64_t, opening> openings;
    std::map<std::string, throttle, std::less<>> throttles;
    std::map<std::string, staff_record, std::less<>> staff;  // by number
    std::map<sensor_kind, sensor> sensors;
    std::map<int, lock_health> locks;  // by compartment
    // Replaced as wholes, so that a draft of the state costs no copy of them. Never null.
    std::shared_ptr<const key_ring> ring = std::make_shared<const key_ring>();
    std::shared_ptr<const roster> people = std::make_shared<const roster>();
    retention kept;
    meta m;
    bool operator==(const durable&) const = default;
};

// A place that waits for an answer: an MQTT reply topic, or an entry at the cabinet.
struct asker {
    std::string id;  // of the command; empty for entries
    std::string topic;
    std::string correlation;  // MQTT v5 correlation data, sent back as it came
    std::uint64_t entry = 0;  // 0: none
};

struct contact {
    bool known = false;
    bool open = false;
    std::int64_t since = 0;  // monotonic, since when it reads so
    bool first = true;       // the first reading after a start or a gap: what went before it nobody saw
};

// What an opening or a session stands on. Asked again before each further pulse and deed: revocations, rings and
// rosters come at any time.
struct warrant {
    std::string staff;  // the number of who signed in; empty: a grant
    std::string sub;    // whom roster or grant names
    // of a grant
    std::string kid;
    key256 public_key{};
    grant_act act = grant_act::open;
    std::int64_t iat = 0;
};

// How an opening goes on, since the start of lockerd.
struct progress {
    std::int64_t started = 0;      // monotonic
    std::int64_t limit = 0;        // monotonic: all pulses end by then
    std::int64_t not_after = 0;    // monotonic: the authority's end
    std::int64_t watch_until = 0;  // monotonic: the running pulse's time to be seen
    int attempts = 0;
    int sent = 0;  // pulses that left: acknowledged, or perhaps
    bool waiting_report = false;
    bool maybe_pulsed = false;    // a coil may have been on
    bool acknowledged = false;    // a pulse was confirmed by its board
    bool armed = false;           // the contact was seen shut: from now on "open" proves the opening
    bool recovering = false;      // from before the start: no pulse, doors are read
    bool held_back = false;       // the lock's limits forbade the last pulse
    std::int64_t pulsed_at = -1;  // monotonic: when the last pulse was acknowledged; -1: it was not
    std::int64_t seen_open = -1;  // monotonic: when the contact said so, whether or not that could be recorded; -1: not
    std::vector<warrant> warrants;
    std::vector<asker> askers;
};

// Somebody who has signed in, at one terminal: a keypad, a scanner, a connection to the control socket.
struct session {
    std::string number;
    std::string via;
    std::int64_t began = 0;  // monotonic
    std::int64_t last = 0;   // monotonic: of the last deed
    warrant member;
    std::optional<warrant> grant;  // that began it
};

// The first of two grants, waiting for the second person.
struct first_grant {
    grant g;
    std::int64_t at = 0;  // monotonic
};

// Whether a board answers, and what was said of it. One that comes and goes is called recovered only once it is steady.
struct board_watch {
    bool present = true;  // until a read fails
    bool said = true;
    std::int64_t changed = 0;     // monotonic: when `present` did
    std::int64_t lost_at = 0;     // monotonic: when the loss that was said began …
    std::int64_t lost_ms = 0;     // … and wall time
    std::int64_t recovered = -1;  // monotonic: when that was said last; -1: never
    std::int64_t steady = 0;      // how long it must answer before it is said
};

struct live {
    std::string epoch;
    std::int64_t started_ms = 0;    // wall
    std::int64_t started_mono = 0;  // monotonic
    std::string boot;
    bool clock_trusted = false;
    bool clock_known = false;
    bool broker_up = false;
    std::vector<board_watch> boards;
    // What was said of such facts: what differs is said, also when the first try to record it failed.
    bool clock_said = false;
    bool space_said = false;
    bool step_said = false;  // the trusted clock runs more than a day ahead of the floor: it waits for an `iat`
    std::map<int, contact> contacts;
    std::map<sensor_kind, contact> sensors;     // open: trouble
    std::map<std::int64_t, progress> running;   // by opening
    std::map<std::uint64_t, session> sessions;  // by terminal
    std::map<int, first_grant> first_grants;    // by door
    bool space_low = false;
    bool medium_worn = false;
    bool storage_failed = false;
    std::int64_t storage_since_ms = 0;
    std::int64_t retry_at = 0;       // monotonic: no commit of our own accord before
    std::int64_t retention_due = 0;  // monotonic: when to look again whether rows may leave
    bool stopping = false;
    // refusals: 20 at once, then 1 a second, the rest as one row a minute
    std::int64_t refusal_debt = 0;
    std::int64_t refusal_at = 0;
    std::int64_t refusals_unsaid = 0;
    std::int64_t refusals_due = 0;  // monotonic, of the row that counts them; 0: none
    std::map<std::string, std::int64_t, std::less<>> counters;
};

struct state {
    durable d;
    live l;
};

}  // namespace locker::core
