// What a serial line can do at best: arithmetic of the standard, in microseconds. docs/line.md derives its bounds from
// here, scripts/bench compares with it.
#pragma once

#include <cstdint>

#include "hal/line/line.hpp"

namespace locker {

// One start bit, eight data bits, parity or none, one stop bit: what libmodbus is asked for.
[[nodiscard]] constexpr std::int64_t characters_us(const line_settings& line, std::int64_t characters) {
    const std::int64_t bits = line.parity == 'N' ? 10 : 11;
    return (characters * bits * 1'000'000 + line.baud - 1) / line.baud;
}

// Modbus over serial line V1.02 §2.5.1.1: 3.5 characters between frames, fixed at 1.75 ms above 19200 baud.
[[nodiscard]] constexpr std::int64_t standard_silence_us(const line_settings& line) {
    return line.baud > 19200 ? 1750 : characters_us(line, 7) / 2;
}

// The silence that is kept before a question: the standard's, or the board's own when that is longer.
[[nodiscard]] constexpr std::int64_t silence_us(const line_settings& line, int gap_characters) {
    const std::int64_t own = characters_us(line, gap_characters);
    return own > standard_silence_us(line) ? own : standard_silence_us(line);
}

constexpr std::int64_t read_question_bytes = 8;   // address, function, first, count, checksum
constexpr std::int64_t longest_write_bytes = 21;  // FC10 with two words, and its answer

[[nodiscard]] constexpr std::int64_t read_answer_bytes(int inputs) {
    return 5 + (inputs + 7) / 8;
}

// FC03.
[[nodiscard]] constexpr std::int64_t register_answer_bytes(int registers) {
    return 5 + 2 * registers;
}

// A read of `inputs` inputs, silence before it and the board's turnaround within it.
[[nodiscard]] constexpr std::int64_t read_us(const line_settings& line, int inputs, int gap_characters,
                                             std::int64_t turnaround_us) {
    return silence_us(line, gap_characters) + characters_us(line, read_question_bytes + read_answer_bytes(inputs)) +
           turnaround_us;
}

}  // namespace locker
