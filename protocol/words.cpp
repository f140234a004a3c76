#include "protocol/words.hpp"

#include <array>

namespace locker {
namespace {

constexpr std::array<std::string_view, 2> kinds{"intake", "return"};
constexpr std::array<std::string_view, 3> sizes{"S", "M", "L"};
constexpr std::array<std::string_view, 7> deposit_states{"reserved",  "deposited", "confirmed", "retrieved",
                                                         "cancelled", "expired",   "reclaimed"};
constexpr std::array<std::string_view, 5> uses{"vacant", "reserved", "occupied", "suspected", "disabled"};
constexpr std::array<std::string_view, 3> doors{"closed", "open", "unknown"};
constexpr std::array<std::string_view, 3> locks{"ok", "jammed", "quarantined"};
constexpr std::array<std::string_view, 5> outcomes{"pending", "opened", "jammed", "unknown", "interrupted"};

template <typename E, std::size_t N>
std::optional<E> find(const std::array<std::string_view, N>& names, std::string_view text) {
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == text) {
            return static_cast<E>(i);
        }
    }
    return std::nullopt;
}

}  // namespace

std::string_view name(deposit_kind kind) {
    return kinds[static_cast<std::size_t>(kind)];
}
std::string_view name(box_size size) {
    return sizes[static_cast<std::size_t>(size)];
}
std::string_view name(deposit_state state) {
    return deposit_states[static_cast<std::size_t>(state)];
}
std::string_view name(use_state use) {
    return uses[static_cast<std::size_t>(use)];
}
std::string_view name(door_state door) {
    return doors[static_cast<std::size_t>(door)];
}
std::string_view name(lock_state lock) {
    return locks[static_cast<std::size_t>(lock)];
}
std::string_view name(outcome result) {
    return outcomes[static_cast<std::size_t>(result)];
}

std::optional<deposit_kind> deposit_kind_from(std::string_view text) {
    return find<deposit_kind>(kinds, text);
}
std::optional<box_size> box_size_from(std::string_view text) {
    return find<box_size>(sizes, text);
}
std::optional<deposit_state> deposit_state_from(std::string_view text) {
    return find<deposit_state>(deposit_states, text);
}
std::optional<door_state> door_state_from(std::string_view text) {
    return find<door_state>(doors, text);
}
std::optional<lock_state> lock_state_from(std::string_view text) {
    return find<lock_state>(locks, text);
}
std::optional<outcome> outcome_from(std::string_view text) {
    return find<outcome>(outcomes, text);
}

}  // namespace locker
