// The nouns of the contract that more than one message uses, with their spelling on the wire.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace locker {

enum class deposit_kind : std::uint8_t { intake, return_to_resident };
enum class box_size : std::uint8_t { small, medium, large };
enum class deposit_state : std::uint8_t { reserved, deposited, confirmed, retrieved, cancelled, expired, reclaimed };
enum class use_state : std::uint8_t { vacant, reserved, occupied, suspected, disabled };
enum class door_state : std::uint8_t { closed, open, unknown };
enum class lock_state : std::uint8_t { ok, jammed, quarantined };
enum class outcome : std::uint8_t { pending, opened, jammed, unknown, interrupted };

[[nodiscard]] std::string_view name(deposit_kind kind);
[[nodiscard]] std::string_view name(box_size size);
[[nodiscard]] std::string_view name(deposit_state state);
[[nodiscard]] std::string_view name(use_state use);
[[nodiscard]] std::string_view name(door_state door);
[[nodiscard]] std::string_view name(lock_state lock);
[[nodiscard]] std::string_view name(outcome result);

[[nodiscard]] std::optional<deposit_kind> deposit_kind_from(std::string_view text);
[[nodiscard]] std::optional<box_size> box_size_from(std::string_view text);
[[nodiscard]] std::optional<deposit_state> deposit_state_from(std::string_view text);
[[nodiscard]] std::optional<door_state> door_state_from(std::string_view text);
[[nodiscard]] std::optional<lock_state> lock_state_from(std::string_view text);
[[nodiscard]] std::optional<outcome> outcome_from(std::string_view text);

}  // namespace locker
