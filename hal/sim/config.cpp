#include "hal/sim/config.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <stdexcept>

namespace sim {

void wire_in_order(config& c, int doors) {
    c.boards.clear();
    c.doors.clear();
    for (int n = 0; n < doors; ++n) {
        if (n % 8 == 0) {
            board_config b;
            b.address = n / 8 + 1;
            c.boards.push_back(b);
        }
        door_config d;
        d.number = n + 1;
        d.board = d.input_board = n / 8;
        d.relay = d.input = n % 8;
        c.doors.push_back(d);
    }
}

namespace {

// A table with these keys and no others; a word stands only where a word can.
const toml::table& table_of(const toml::node& item, const std::string& file,
                            std::initializer_list<std::string_view> keys) {
    const auto* table = item.as_table();
    if (table == nullptr) {
        throw std::runtime_error(fmt::format("{}: line {}: a table is wanted", file, item.source().begin.line));
    }
    for (const auto& [key, value] : *table) {
        if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
            throw std::runtime_error(
                fmt::format("{}: line {}: {}: no such key", file, value.source().begin.line, key.str()));
        }
        const bool word = key == "device" || key == "socket" || key == "kind" || key == "closed";
        if (!value.is_table() && !value.is_array() && value.is_string() != word) {
            throw std::runtime_error(fmt::format("{}: line {}: {}: a {} is wanted", file, value.source().begin.line,
                                                 key.str(), word ? "text in quotes" : "number"));
        }
    }
    return *table;
}

board_kind kind_of(const toml::table& board, const std::string& file) {
    constexpr std::array<std::pair<std::string_view, board_kind>, 4> kinds{{{"waveshare", board_kind::waveshare},
                                                                            {"on-off", board_kind::on_off},
                                                                            {"lc-modbus", board_kind::lc_modbus},
                                                                            {"r421a08", board_kind::r421a08}}};
    const auto said = board["kind"].value_or(std::string("waveshare"));
    const auto at = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.first == said; });
    if (at == kinds.end()) {
        throw std::runtime_error(fmt::format("{}: line {}: board: kind is waveshare, on-off, lc-modbus or r421a08",
                                             file, board.source().begin.line));
    }
    return at->second;
}

}  // namespace

config read_config(const std::string& file) {
    config c;
    try {
        const auto parsed = toml::parse_file(file);
        const auto& t = table_of(parsed, file, {"socket", "seed", "line", "people", "board", "door"});
        if (const auto* line = t.get("line")) {
            (void)table_of(*line, file, {"device", "port", "baud"});
        }
        if (const auto* people = t.get("people")) {
            (void)table_of(*people, file, {"push_after_ms"});
        }
        c.device = t["line"]["device"].value_or("");
        c.port = t["line"]["port"].value_or(0);
        c.baud = t["line"]["baud"].value_or(9600);
        c.seed = static_cast<std::uint64_t>(t["seed"].value_or(std::int64_t{1}));
        c.socket = t["socket"].value_or("");
        c.push_after_ms = t["people"]["push_after_ms"].value_or(std::int64_t{0});
        if (const auto* boards = t["board"].as_array()) {
            for (const auto& item : *boards) {
                const auto& b = table_of(item, file, {"address", "relays", "inputs", "turnaround_us", "kind"});
                c.boards.push_back({b["address"].value_or(1), b["relays"].value_or(8), b["inputs"].value_or(8),
                                    b["turnaround_us"].value_or(3000), kind_of(b, file)});
                const auto& made = c.boards.back();
                if (made.address < 1 || made.address > 247 || made.relays < 1 || made.relays > 32 || made.inputs < 0 ||
                    made.inputs > 32) {
                    throw std::runtime_error(fmt::format("{}: line {}: board: address 1-247, relays 1-32, inputs 0-32",
                                                         file, item.source().begin.line));
                }
            }
        }
        if (const auto* doors = t["door"].as_array()) {
            for (const auto& item : *doors) {
                const auto& d = table_of(
                    item, file,
                    {"number", "board", "relay", "input_board", "input", "closed", "pull_ms", "swing_ms", "bounce_ms"});
                door_config door;
                const int board = d["board"].value_or(1);
                door.number = d["number"].value_or(0);
                door.board = board - 1;
                door.relay = d["relay"].value_or(1) - 1;
                door.input_board = d["input_board"].value_or(board) - 1;
                door.input = d["input"].value_or(door.relay + 1) - 1;
                door.closed_level = d["closed"].value_or(std::string("on")) == "on";
                door.pull_ms = d["pull_ms"].value_or(door.pull_ms);
                door.swing_ms = d["swing_ms"].value_or(door.swing_ms);
                door.bounce_ms = d["bounce_ms"].value_or(door.bounce_ms);
                const auto boards = static_cast<int>(c.boards.size());
                if (door.number < 1 || door.board < 0 || door.board >= boards || door.input_board < 0 ||
                    door.input_board >= boards || door.relay < 0 ||
                    door.relay >= c.boards[static_cast<std::size_t>(door.board)].relays ||
                    door.input >= c.boards[static_cast<std::size_t>(door.input_board)].inputs) {
                    throw std::runtime_error(
                        fmt::format("{}: line {}: door: number, board, relay or input is out of range", file,
                                    item.source().begin.line));
                }
                c.doors.push_back(door);
            }
        }
    } catch (const toml::parse_error& e) {
        throw std::runtime_error(fmt::format("{}: line {}: {}", file, e.source().begin.line, e.description()));
    }
    if (c.boards.empty()) {
        wire_in_order(c, 8);
    }
    return c;
}

}  // namespace sim
