// What is shown to the world beside the contract's own state and events, and how often.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace locker {

struct home_assistant_settings {
    enum class wish : std::uint8_t { silent, published, removed };
    wish discovery = wish::silent;  // silent: nobody has asked, so nothing is said on a topic that is not ours
    std::string prefix = "homeassistant";

    // Its "online" asks for the document again.
    [[nodiscard]] std::string birth_topic() const { return prefix + "/status"; }
    [[nodiscard]] std::string config_topic(std::string_view cabinet) const {
        return prefix + "/device/locker-" + std::string(cabinet) + "/config";
    }
};

struct showing {
    std::int64_t metrics_every_ms = 60'000;
    home_assistant_settings home_assistant;
};

}  // namespace locker
