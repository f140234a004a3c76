// Home Assistant's device-based discovery: one retained document makes the cabinet a device with all of its doors,
// alarms and figures. It shows; nothing is opened from there, since it sends neither ids nor expiries.
// https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
#pragma once

#include <string>
#include <string_view>

#include "daemon/core/config.hpp"

namespace locker {

// `before`: what is retained there, or empty. Entities that it has and that this cabinet has no more (a door less, say)
// are named once more without content, which is how Home Assistant is told to drop them.
[[nodiscard]] std::string home_assistant_device(const core::cabinet_config& config, std::string_view before);

}  // namespace locker
