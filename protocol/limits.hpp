// Every bound of the contract in one place. A message beyond a bound is `malformed`; nothing grows without one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace locker::limits {

// A roster that a ring key signs counts no higher than this, so that the root always has room above it.
inline constexpr std::int64_t ring_version_max = 100'000'000'000;
inline constexpr std::size_t payload_bytes = 64 * 1024;  // a command; roster and keys documents are the largest
inline constexpr std::size_t wiring_bytes = 512 * 1024;  // the record of the largest cabinet's wiring
inline constexpr std::size_t json_depth = 8;             // nested arrays and objects
inline constexpr std::size_t grant_bytes = 48 * 1024;    // a JWT in its compact form
inline constexpr std::size_t name_bytes = 64;            // ids of commands, deposits, cabinets and keys
inline constexpr std::size_t jti_bytes = 128;            // a grant's id
inline constexpr std::size_t text_bytes = 256;           // reasons and pseudonyms
inline constexpr std::size_t entry_bytes = 2048;         // what a keypad may send at once; scanner and socket: a grant
inline constexpr std::size_t staff_max = 300;            // in a roster
inline constexpr std::size_t keys_max = 16;              // in the ring of issuer keys
inline constexpr int compartment_max = 999;              // the number on a door
inline constexpr int code_window = 5;                    // issues tried for each deposit: n … n+4
inline constexpr std::uint64_t rows_checked = 200;       // of the ledger, at each start
inline constexpr std::uint64_t replay_events = 200;      // events in one answer to `replay`
inline constexpr std::size_t remembered_commands = 4096;
inline constexpr std::int64_t remembered_ms = 24LL * 3600 * 1000;
inline constexpr std::int64_t grant_leeway_s = 30;               // on iat and nbf, none on exp
inline constexpr std::int64_t grant_mqtt_life_s = 60;            // exp - iat over MQTT
inline constexpr std::int64_t grant_local_life_s = 24LL * 3600;  // exp - iat at scanner and control socket
inline constexpr std::size_t commands_waiting = 64;              // beyond it: busy
inline constexpr int boards_max = 64;
inline constexpr int channels_max = 32;  // relays or inputs of one board
inline constexpr int openings_max = 4;   // openings in progress at one time
inline constexpr int events_in_flight = 16;

}  // namespace locker::limits
