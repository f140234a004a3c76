// The cabinet's front: keypads, scanners, lamps and buzzers, as the one who stands there uses them. One place, one
// session, one question at a time. Pure: time is handed in, monotonic milliseconds.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/core/effects.hpp"
#include "hal/input/input.hpp"
#include "hal/input/keypad.hpp"
#include "hal/input/scanner.hpp"
#include "hal/ports/outputs.hpp"

namespace locker {

// On, off, on …, in milliseconds; empty: silent.
using signal_pattern = std::vector<std::int64_t>;

struct front_output {
    std::string name;
    int board = 0;                           // index into the configuration's boards
    int channel = 0;                         // from 0
    std::array<signal_pattern, 3> patterns;  // by front_signal
};

struct front_settings {
    std::vector<input_settings> inputs;
    std::vector<front_output> outputs;
};

// What one input did since the start.
struct input_counters {
    bool present = false;
    std::uint64_t lines = 0;    // handed to the core
    std::uint64_t dropped = 0;  // too long, broken off, not text, with keys missing
    std::uint64_t early = 0;    // before the one before it was answered, or faster than anybody types
};

class front {
public:
    explicit front(const front_settings& settings);

    // A line that is whole: an input for the core. It is answered before the next one is taken.
    using line = std::optional<core::entry>;
    [[nodiscard]] line key(std::size_t input, unsigned code, int value, std::int64_t now);
    // More than one line in one chunk: the first counts.
    [[nodiscard]] line bytes(std::size_t input, std::string_view chunk, std::int64_t now);
    void missed(std::size_t input, std::int64_t now);
    void presence(std::size_t input, bool present);

    [[nodiscard]] bool asked(std::uint64_t entry) const { return pending_ && pending_ == entry; }
    // The entry takes its time: somebody waits at the door.
    void waits(std::int64_t now);
    void answered(const std::string& reply, std::int64_t now);

    // What is to be switched on now; lines that nobody goes on with are forgotten.
    [[nodiscard]] std::vector<output_order> due(std::int64_t now);
    [[nodiscard]] std::int64_t wake_at() const;

    [[nodiscard]] const std::vector<input_settings>& inputs() const { return settings_.inputs; }
    [[nodiscard]] const input_counters& counters(std::size_t input) const { return inputs_.at(input).counters; }

    // Everybody at the front is at one terminal: who signs in by a grant at the scanner goes on at the keypad.
    static constexpr std::uint64_t terminal = std::uint64_t{1} << 62U;

private:
    struct one {
        core::entry_via via;
        key_map keys;
        std::variant<keypad, scanner> reads;
        input_counters counters;
    };
    struct running {
        std::size_t output = 0;
        front_signal what = front_signal::wait;
        std::size_t step = 0;  // index in its pattern
        std::int64_t at = 0;
    };
    line take(one& from, std::string text, std::int64_t now);
    void drop(one& from, std::int64_t now);
    line scanned(one& from, std::string_view chunk, std::int64_t now);
    void signal(front_signal what, std::int64_t now);

    front_settings settings_;
    std::vector<one> inputs_;
    std::optional<std::uint64_t> pending_;
    std::int64_t asked_at_ = INT64_MIN / 2;
    std::uint64_t entries_ = 0;
    std::vector<running> running_;
    front_signal said_ = front_signal::wait;
    std::int64_t said_at_ = INT64_MIN / 2;
};

}  // namespace locker
