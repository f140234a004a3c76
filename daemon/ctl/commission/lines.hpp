// The cabinet's lines while it is commissioned: who is on them, what their inputs read, one pulse. Blocking. It reads
// and pulses, one coil at a time; whatever ends it, every relay is dropped.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/ctl/commission/wiring.hpp"
#include "hal/line/modbus_line.hpp"

namespace locker {

struct address_report {
    std::string bus;
    int address = 0;
    bool collision = false;  // something answers there, and nearly never as one board would
    bool unknown = false;    // it answers, but is no board that a profile describes
    std::string what;        // of an unknown one: what it answered
};

class cabinet_lines {
public:
    // Throws std::runtime_error when a line cannot be opened.
    cabinet_lines(const std::vector<line_settings>& lines, std::vector<board_profile> profiles);
    ~cabinet_lines();
    cabinet_lines(const cabinet_lines&) = delete;
    cabinet_lines& operator=(const cabinet_lines&) = delete;

    // Asks every address from `first` to `last` of every line; `each` is called before each. Relays of whoever is there
    // are dropped.
    void scan(int first, int last, const std::function<void(const std::string& bus, int address)>& each);
    [[nodiscard]] const std::vector<found_board>& boards() const { return boards_; }
    [[nodiscard]] const std::vector<address_report>& oddities() const { return oddities_; }
    void rename(std::size_t board, const std::string& name) { boards_.at(board).name = name; }

    // False: it did not answer, many times in a row.
    [[nodiscard]] bool read(std::size_t board, std::uint32_t& bits);
    // Once, and only if the answer must have come, or be overdue, within `left_ms`. Nothing: not asked, or no answer.
    [[nodiscard]] std::optional<std::uint32_t> read_within(std::size_t board, std::int64_t left_ms);
    // One relay on for so long. False: not acknowledged. `end` follows after that time: a board without a timer is
    // switched off by it; throws when that is not answered for a minute.
    [[nodiscard]] bool begin(const board_channel& relay, std::int64_t length_ms);
    void end(const board_channel& relay);
    void drop_all();

private:
    struct one_line {
        line_settings settings;
        std::unique_ptr<modbus_line> line;
    };
    void identify(one_line& on, int address);
    [[nodiscard]] modbus_line::peer& peer(std::size_t board);

    std::vector<one_line> lines_;
    std::vector<board_profile> profiles_;
    std::vector<found_board> boards_;
    std::vector<std::size_t> line_of_;
    std::vector<modbus_line::peer> peers_;
    std::vector<address_report> oddities_;
};

[[nodiscard]] std::int64_t monotonic_ms();
void sleep_ms(std::int64_t ms);

}  // namespace locker
