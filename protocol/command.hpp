// Commands, as they come from the broker: {"id","expires_at","reply_to","grant","args"}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/crypto.hpp"
#include "protocol/json.hpp"

namespace locker {

struct open_args {
    std::optional<std::string> second_grant;
};
struct verify_args {
    std::string code;
    std::optional<int> compartment;
};
struct confirm_args {
    std::string deposit;
};
struct cancel_args {
    std::string deposit;
};
struct disable_args {
    int compartment = 0;
    std::string reason;
};
struct enable_args {
    int compartment = 0;
    std::string reason;
};
struct snapshot_args {};
struct replay_args {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
};
struct ack_args {
    std::uint64_t sequence = 0;
};
struct roster_args {};
struct keys_args {};

using command_args = std::variant<open_args, verify_args, confirm_args, cancel_args, disable_args, enable_args,
                                  snapshot_args, replay_args, ack_args, roster_args, keys_args>;

struct command {
    std::int64_t expires_at_ms = 0;
    std::string grant;  // empty when there is none
    command_args args;
    digest256 digest{};  // SHA-256 of name, args and grant: the content behind an id
};

// What could be read of a message. `id` is empty when none can be read: then nothing is answered. `reply_to` is the
// member as it stands, not yet checked against the cabinet's own reply topics.
struct command_reading {
    std::string id;
    std::optional<std::string> reply_to;
    reading<command> content;
};

[[nodiscard]] command_reading parse_command(std::string_view name, std::string_view payload);

}  // namespace locker
