// What the core needs to know of its cabinet. Read and validated by daemon/app; plain data here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/crypto.hpp"
#include "protocol/grant.hpp"
#include "protocol/words.hpp"

namespace locker::core {

inline constexpr std::int64_t second = 1000;
inline constexpr std::int64_t minute = 60 * second;
inline constexpr std::int64_t hour = 60 * minute;
inline constexpr std::int64_t day = 24 * hour;

// What the feedback of a compartment proves (design: a latch proves release, a door contact movement).
enum class contact_kind : std::uint8_t { none, door, latch };

struct compartment_config {
    int number = 0;
    box_size size = box_size::small;
    bool accessible = false;
    int relay_board = 0;
    contact_kind contact = contact_kind::none;
    int contact_board = 0;
    int contact_channel = 0;   // 0-based bit of inputs_report
    bool closed_level = true;  // the bit while the door is shut
};

// What an input of a board tells besides doors. One of each: their alarms are `mains` and `tamper`.
enum class sensor_kind : std::uint8_t { mains, tamper };
[[nodiscard]] std::string_view name(sensor_kind kind);

struct sensor_config {
    sensor_kind kind = sensor_kind::mains;
    int board = 0;
    int channel = 0;             // 0-based bit of inputs_report
    bool trouble_level = false;  // the bit while mains are gone, or the cabinet's inside is open
};

// For which openings by act `open` two grants with different `sub` are wanted within two minutes.
enum class two_persons : std::uint8_t { never, occupied, always };  // occupied: something may lie there

// Times in milliseconds.
struct policy {
    std::int64_t reservation = 10 * minute;
    std::int64_t held_open = 3 * minute;
    std::int64_t open_within = 2500;    // a pulse's time to be seen open
    std::int64_t opening_limit = 6000;  // all pulses of one opening
    int pulses_max = 3;
    std::int64_t reply_within = 9500;  // contract: 10 s
    std::int64_t rest = 1000;          // a closing counts after this
    std::int64_t bounce = 1500;        // open for less: nothing changed
    std::int64_t grace = 60 * second;  // the same code reopens
    std::int64_t unknown_window = 10 * minute;
    int unknown_openings = 3;
    std::int64_t unconfirmed = 30 * minute;
    std::int64_t overdue_intake = 3 * day;
    std::int64_t overdue_return = 7 * day;
    std::int64_t forced_after = 500;       // a contact must say open for so long without authority
    std::int64_t boot_wait = 15 * second;  // for doors to be read before openings are called interrupted
    int jams_to_quarantine = 3;
    std::int64_t reminder = day;              // between reminders that a deposit waits; 0: none
    std::int64_t reclaimed_known = 30 * day;  // the code of a reclaimed deposit gets its sentence for so long
    std::int64_t ledger_keep = 400 * day;     // no younger row leaves the ledger …
    std::uint64_t ledger_rows = 300'000;      // … nor any while there are no more than these
    std::int64_t ledger_notice = 30 * day;    // said so long before
    bool verify = false;
    two_persons pairs = two_persons::never;
    bool grants_need_clock = false;  // an untrusted clock refuses what opens a door
};

struct cabinet_config {
    bool in_service = false;  // it has a database: an empty one is a lost one
    std::string id;
    std::string name;
    std::string place;
    std::string help;
    std::string version;  // of lockerd
    std::vector<std::string> boards;
    std::vector<compartment_config> compartments;
    std::vector<sensor_config> sensors;
    policy rules;
    std::vector<secret256> cabinet_keys;  // one, or two while a rotation lasts
    key_ring ring;                        // from the file; a later version that came as a grant goes before it
    std::optional<issuer_key> root;       // signs rings and rosters
};

}  // namespace locker::core
