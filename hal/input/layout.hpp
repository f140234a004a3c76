// What a key of a keyboard means: Linux' key codes to characters, by the layout that the device was set to. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace locker {

// us: a scanner as it leaves the factory, and every numeric keypad. de, fr: a scanner that was set to that country.
enum class key_layout : std::uint8_t { us, de, fr };
[[nodiscard]] std::optional<key_layout> key_layout_from(std::string_view text);

class key_map {
public:
    explicit key_map(key_layout layout) : layout_(layout) {}

    // A key (linux/input-event-codes.h) went down or up. The character it gives; '\n' for Enter, '\b' for whatever
    // takes back. Nothing: a shift, a key that gives none, a release, the kernel's own repeat of a key that is held.
    [[nodiscard]] std::optional<char> key(unsigned code, int value);
    void forget() { shift_ = 0; }

private:
    [[nodiscard]] std::optional<char> printed(unsigned code) const;
    key_layout layout_;
    unsigned shift_ = 0;  // bit 0: left, bit 1: right
};

}  // namespace locker
