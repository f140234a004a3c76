// Home Assistant's device-based discovery: one retained document makes the cabinet a device with all of its doors,
// alarms and figures. It shows; nothing is opened from there, since it sends neither ids nor expiries.
// https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
#pragma once

#include <string>
#include <string_view>

#include "daemon/core/config.hpp"

namespace locker {

struct home_assistant_document {
    std::string payload;
    std::string shown;  // every entity that this cabinet ever had there, with its platform: a JSON object, to be kept
};

// `shown`: as it was kept, or empty. What is in it and this cabinet has no more (a door less, say) is named without
// content, which is how Home Assistant is told to drop it; from then on always, as it may have been off just then.
[[nodiscard]] home_assistant_document home_assistant_device(const core::cabinet_config& config, std::string_view shown);

}  // namespace locker
