// Grants: whether one is accepted here and now, and what each act does (design §3).
#pragma once

#include "daemon/core/openings.hpp"
#include "daemon/core/work.hpp"
#include "protocol/grant.hpp"

namespace locker::core {

// Which way a grant came: each is bound to its channel.
enum class channel : std::uint8_t { mqtt, local };

// The form of a grant on this channel. Error: malformed.
[[nodiscard]] reading<grant> read_grant(std::string_view token, channel from);

// A grant whose form is good, with whoever shows it.
struct presented {
    grant g;
    std::optional<grant> second;  // of another person, over MQTT
    channel from = channel::mqtt;
    std::string_view via;
    std::uint64_t terminal = 0;  // where a local one was shown
    std::string command;         // the command's id; empty for local ones
    std::string digest;          // … and its content
    asker who;
};

// Key, signature, audience, epoch, times, revocation, use, permission, suspension; then its deed. Answers, or
// authorises an opening that will.
void present(work& w, const presented& p);

// For `roster` and `keys` over MQTT: the same, but for this act alone.
void present_document(work& w, const presented& p, grant_act wanted);

// Key, permission, revocation and suspension of a grant that was accepted, or the standing of a staff member, as they
// are now.
[[nodiscard]] bool holds(const work& w, const warrant& one);

// All grants issued before are dead; `by` may be empty.
void revoke_grants_before(work& w, std::int64_t before_s, const std::string& by);

// First grants whose second never came.
void advance_first_grants(work& w);

}  // namespace locker::core
