#include "protocol/topic.hpp"

#include "protocol/json.hpp"

namespace locker {
namespace {

std::optional<std::string_view> below(std::string_view topic, std::string_view root, std::string_view branch) {
    if (!topic.starts_with(root) || !topic.substr(root.size()).starts_with(branch)) {
        return std::nullopt;
    }
    return topic.substr(root.size() + branch.size());
}

}  // namespace

std::optional<std::string_view> topics::command_of(std::string_view topic) const {
    return below(topic, root_, "/command/");
}

bool topics::is_alarm(std::string_view topic) const {
    return below(topic, root_, "/alarm/").has_value();
}

bool topics::is_reply(std::string_view topic) const {
    const auto name = below(topic, root_, "/reply/");
    return name && is_name(*name);
}

}  // namespace locker
