// Replies that are remembered: the same id and content get the same reply and no second deed (design §5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/work.hpp"
#include "protocol/command.hpp"

namespace locker::core {

// Nothing is remembered without an id. An empty reply: its opening is not over.
void remember(work& w, std::string_view id, const std::string& digest, const std::string& reply);

// True when the id was seen before, and it has been dealt with here.
[[nodiscard]] bool repeated(work& w, const command_reading& m, const asker& who);

// Answers everyone who waits for the opening and remembers the reply of its command. No refusal: it opened.
void finish_opening(work& w, const opening& o, const std::optional<refusal>& why);

}  // namespace locker::core
