// Topics below locker/v1/<cabinet>.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace locker {

class topics {
public:
    explicit topics(std::string_view cabinet) : root_("locker/v1/" + std::string(cabinet)) {}

    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] std::string status() const { return root_ + "/status"; }
    [[nodiscard]] std::string cabinet() const { return root_ + "/cabinet"; }
    [[nodiscard]] std::string metrics() const { return root_ + "/metrics"; }
    [[nodiscard]] std::string compartment(int number) const { return root_ + "/compartment/" + std::to_string(number); }
    [[nodiscard]] std::string event(std::string_view type) const { return root_ + "/event/" + std::string(type); }
    [[nodiscard]] std::string alarm(std::string_view kind) const { return root_ + "/alarm/" + std::string(kind); }
    [[nodiscard]] std::string alarm(std::string_view kind, std::string_view which) const {
        return alarm(kind) + "/" + std::string(which);
    }
    [[nodiscard]] std::string command_filter() const { return root_ + "/command/+"; }

    // "locker/v1/<cabinet>/command/open" → "open"; empty when the topic is not a command of this cabinet.
    [[nodiscard]] std::optional<std::string_view> command_of(std::string_view topic) const;
    // "locker/v1/<cabinet>/alarm/…": a retained alarm of ours, maybe of an earlier run.
    [[nodiscard]] bool is_alarm(std::string_view topic) const;
    // ^locker/v1/<cabinet>/reply/[A-Za-z0-9_-]{1,64}$
    [[nodiscard]] bool is_reply(std::string_view topic) const;

private:
    std::string root_;
};

}  // namespace locker
