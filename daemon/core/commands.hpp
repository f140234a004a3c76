// What comes over MQTT, in the contract's order of checks, and the replies that are remembered.
#pragma once

#include "daemon/core/openings.hpp"
#include "daemon/core/work.hpp"
#include "protocol/grant.hpp"

namespace locker::core {

void handle_command(work& w, std::string_view name, const message& m);

// Which way a grant came: each is bound to its channel (design §3).
enum class channel : std::uint8_t { mqtt, local };

// The form of a grant on this channel. Error: malformed.
[[nodiscard]] reading<grant> read_grant(std::string_view token, channel from);

// Key, signature, audience, epoch, times, use, and whether its key may sign the act.
[[nodiscard]] std::optional<refusal> check_grant(work& w, const grant& g, channel from);

// Carries out a verified grant that opens a door: answers, or authorises an opening that will.
void use_grant(work& w, const grant& g, const asker& who, std::string_view via, std::string_view command,
               const std::string& digest);

// Answers everyone who waits for the opening and remembers the reply of its command. No refusal: it opened.
void finish_opening(work& w, const opening& o, const std::optional<refusal>& why);

}  // namespace locker::core
