#include "protocol/command.hpp"

#include <fmt/format.h>

#include <charconv>

#include "protocol/limits.hpp"
#include "protocol/timestamp.hpp"

namespace locker {
namespace {

using boost::json::object;

// A sequence as a number, or as the string of digits that events carry.
reading<std::uint64_t> sequence_member(const object& o, std::string_view member) {
    const auto* value = o.if_contains(member);
    std::uint64_t number = 0;
    if (value != nullptr && value->is_int64() && value->get_int64() >= 0) {
        return static_cast<std::uint64_t>(value->get_int64());
    }
    if (value != nullptr && value->is_string() && !value->get_string().empty()) {
        const auto& text = value->get_string();
        const auto end = text.data() + text.size();
        const auto [at, error] = std::from_chars(text.data(), end, number);
        if (error == std::errc{} && at == end) {
            return number;
        }
    }
    return malformed(fmt::format("args.{}: a sequence is wanted, as a number or a string of digits", member));
}

reading<std::string> deposit_member(const object& args) {
    auto deposit = required_text(args, "deposit", limits::name_bytes);
    if (deposit && !is_name(*deposit)) {
        return malformed("args.deposit: 1 to 64 of A-Z a-z 0-9 _ - are wanted");
    }
    return deposit;
}

reading<std::optional<int>> compartment_member(const object& args) {
    auto number = optional_integer(args, "compartment", 1, limits::compartment_max);
    if (!number) {
        return number.error();
    }
    return *number ? std::optional<int>(static_cast<int>(**number)) : std::nullopt;
}

template <typename Args>
reading<command_args> deposit_args(const object& args) {
    auto deposit = deposit_member(args);
    if (!deposit) {
        return deposit.error();
    }
    return command_args{Args{std::move(*deposit)}};
}

template <typename Args>
reading<command_args> compartment_args(const object& args) {
    auto compartment = compartment_member(args);
    if (!compartment) {
        return compartment.error();
    }
    if (!*compartment) {
        return malformed("args.compartment is missing");
    }
    auto reason = required_text(args, "reason", limits::text_bytes);
    if (!reason) {
        return reason.error();
    }
    return command_args{Args{**compartment, std::move(*reason)}};
}

reading<command_args> read_open(const object& args) {
    auto second = optional_text(args, "second_grant", limits::grant_bytes);
    if (!second) {
        return second.error();
    }
    return command_args{open_args{std::move(*second)}};
}

reading<command_args> read_verify(const object& args) {
    auto code = required_text(args, "code", 32);
    if (!code) {
        return code.error();
    }
    auto compartment = compartment_member(args);
    if (!compartment) {
        return compartment.error();
    }
    return command_args{verify_args{std::move(*code), *compartment}};
}

reading<command_args> read_replay(const object& args) {
    auto from = sequence_member(args, "from");
    auto to = sequence_member(args, "to");
    if (!from) {
        return from.error();
    }
    if (!to) {
        return to.error();
    }
    if (*from == 0 || *from > *to) {
        return malformed("args: 1 ≤ from ≤ to is wanted");
    }
    return command_args{replay_args{*from, *to}};
}

reading<command_args> read_ack(const object& args) {
    auto sequence = sequence_member(args, "sequence");
    if (!sequence) {
        return sequence.error();
    }
    return command_args{ack_args{*sequence}};
}

reading<command_args> read_args(std::string_view name, const object& args) {
    if (name == "open") {
        return read_open(args);
    }
    if (name == "verify") {
        return read_verify(args);
    }
    if (name == "confirm") {
        return deposit_args<confirm_args>(args);
    }
    if (name == "cancel") {
        return deposit_args<cancel_args>(args);
    }
    if (name == "disable") {
        return compartment_args<disable_args>(args);
    }
    if (name == "enable") {
        return compartment_args<enable_args>(args);
    }
    if (name == "snapshot") {
        return command_args{snapshot_args{}};
    }
    if (name == "replay") {
        return read_replay(args);
    }
    if (name == "ack") {
        return read_ack(args);
    }
    if (name == "roster") {
        return command_args{roster_args{}};
    }
    if (name == "keys") {
        return command_args{keys_args{}};
    }
    return malformed(
        "no such command: open, verify, confirm, cancel, disable, enable, snapshot, replay, ack, roster, keys");
}

reading<command> read_content(std::string_view name, const object& message, bool has_id) {
    if (!has_id) {
        return malformed("id: 1 to 64 of A-Z a-z 0-9 _ - are wanted");
    }
    auto expires = required_text(message, "expires_at", 64);
    if (!expires) {
        return expires.error();
    }
    const auto expires_ms = parse_time(*expires);
    if (!expires_ms) {
        return malformed("expires_at: a time as 2026-01-31T12:00:00.000Z is wanted");
    }
    auto grant = optional_text(message, "grant", limits::grant_bytes);
    if (!grant) {
        return grant.error();
    }
    static const object no_args;
    const object* args = &no_args;
    if (const auto* value = message.if_contains("args"); value != nullptr && !value->is_null()) {
        if (!value->is_object()) {
            return malformed("args: an object is wanted");
        }
        args = &value->get_object();
    }
    auto parsed = read_args(name, *args);
    if (!parsed) {
        return parsed.error();
    }
    command c;
    c.expires_at_ms = *expires_ms;
    c.grant = grant->value_or("");
    c.args = std::move(*parsed);
    std::string content(name);
    content.push_back('\0');
    content += canonical(*args);
    content.push_back('\0');
    content += c.grant;
    c.digest = sha256(bytes_of(content));
    return c;
}

}  // namespace

command_reading parse_command(std::string_view name, std::string_view payload) {
    command_reading out{{}, {}, malformed("")};
    auto message = parse_object(payload, limits::payload_bytes);
    if (!message) {
        out.content = message.error();
        return out;
    }
    if (auto id = required_text(*message, "id", limits::name_bytes); id && is_name(*id)) {
        out.id = std::move(*id);
    }
    auto reply_to = optional_text(*message, "reply_to", 256);
    if (reply_to) {
        out.reply_to = std::move(*reply_to);
        out.content = read_content(name, *message, !out.id.empty());
    } else {
        out.reply_to = "";  // present and unusable: nothing is sent there
        out.content = reply_to.error();
    }
    return out;
}

}  // namespace locker
