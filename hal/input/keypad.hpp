// What the keys of a keypad add up to: a line, as a person means it. Pure: time is handed in, monotonic milliseconds.
//
//   123456789#      a pickup code                    12#123456789#   the same with its door before it
//   4711#123456#    a staff code                     12##            a door's number alone, 12#2# a deed at it
//
// `#` after up to six digits stands between two numbers; it ends the line when one stands there already, and after more
// digits. `*` clears. Keys that a keypad does not have are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace locker {

class keypad {
public:
    // Somebody of seventy looks at the phone between two keys; somebody who has left has left his keys behind.
    static constexpr std::int64_t between_keys_ms = 12'000;
    static constexpr std::size_t longest = 32;        // digits and `#`; nothing that opens a door is longer
    static constexpr std::size_t longest_number = 6;  // of a door or of staff

    enum class outcome : std::uint8_t {
        goes_on,
        line,     // `text` is whole
        cleared,  // by `*`
        dropped,  // longer than anything that is meant: up to its end it was swallowed
    };
    struct typed {
        outcome what = outcome::goes_on;
        std::string text;
    };
    [[nodiscard]] typed press(char key, std::int64_t now);

    // When the line is given up; INT64_MAX: there is none.
    [[nodiscard]] std::int64_t due() const;
    // True when it was given up just now.
    bool expire(std::int64_t now);
    // Keys were lost: what stands there is not what was typed.
    void forget();

private:
    std::string line_;
    bool too_long_ = false;
    std::int64_t last_ = 0;
};

}  // namespace locker
