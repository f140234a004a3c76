#include "hal/boards/profile.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <set>

namespace locker {
namespace {

class checker {
public:
    explicit checker(const toml::table& root) : root_(root) {}

    void text(std::string_view path, std::string& into) {
        const auto value = node(path).value<std::string>();
        if (!value || value->empty()) {
            errors_.push_back(fmt::format("{}: a text is wanted", path));
        } else {
            into = *value;
        }
    }
    void number(std::string_view path, int& into, int low, int high) {
        const auto value = node(path).value<std::int64_t>();
        if (!value || *value < low || *value > high) {
            errors_.push_back(fmt::format("{}: a number from {} to {} is wanted", path, low, high));
        } else {
            into = static_cast<int>(*value);
        }
    }
    void word(std::string_view path, std::string_view only) {
        const auto value = node(path).value<std::string>();
        if (value != only) {
            errors_.push_back(fmt::format("{}: \"{}\" is the one kind this release drives", path, only));
        }
    }
    void no_others() { unknown(root_, ""); }
    [[nodiscard]] const std::vector<std::string>& errors() const { return errors_; }

private:
    [[nodiscard]] toml::node_view<const toml::node> node(std::string_view path) {
        known_.insert(std::string(path));
        return root_.at_path(path);
    }
    void unknown(const toml::table& table, const std::string& prefix) {
        for (const auto& [key, value] : table) {
            const std::string path = prefix + std::string(key.str());
            if (const auto* inner = value.as_table()) {
                unknown(*inner, path + ".");
            } else if (known_.count(path) == 0) {
                errors_.push_back(fmt::format("{}: no such key", path));
            }
        }
    }
    const toml::table& root_;
    std::set<std::string> known_;
    std::vector<std::string> errors_;
};

}  // namespace

std::variant<board_profile, std::vector<std::string>> parse_profile(std::string_view text) {
    toml::table parsed;
    try {
        parsed = toml::parse(text);
    } catch (const toml::parse_error& e) {
        return std::vector<std::string>{fmt::format("line {}: {}", e.source().begin.line, e.description())};
    }
    board_profile p;
    checker c(parsed);
    c.text("name", p.name);
    c.text("title", p.title);
    c.text("source", p.source);
    c.number("relays", p.relays, 1, 32);
    c.number("inputs", p.inputs, 0, 32);
    c.number("line.baud", p.baud, 1200, 115200);
    c.number("line.timeout_ms", p.timeout_ms, 5, 2000);
    c.number("line.gap_characters", p.gap_characters, 0, 100);
    c.word("pulse.kind", "flash-coil");
    c.number("pulse.base", p.pulse_base, 0, 0xFFFF);
    c.number("pulse.unit_ms", p.pulse_unit_ms, 1, 1000);
    c.number("pulse.max_units", p.pulse_max_units, 1, 0x7FFF);
    c.no_others();
    std::vector<std::string> errors = c.errors();
    constexpr std::array<int, 7> rates{1200, 2400, 4800, 9600, 19200, 38400, 115200};
    // libmodbus turns a rate it does not know into 9600 without a word.
    if (errors.empty() && std::find(rates.begin(), rates.end(), p.baud) == rates.end()) {
        errors.emplace_back("line.baud: 1200, 2400, 4800, 9600, 19200, 38400 or 115200 is wanted");
    }
    if (errors.empty() && p.pulse_unit_ms * p.pulse_max_units > 5000) {
        errors.emplace_back("pulse: no coil is held for more than 5 s");
    }
    if (!errors.empty()) {
        return errors;
    }
    return p;
}

}  // namespace locker
