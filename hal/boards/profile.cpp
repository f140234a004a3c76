#include "hal/boards/profile.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <set>

namespace locker {
namespace {

constexpr std::array<std::pair<std::string_view, pulse_kind>, 4> pulse_kinds{{
    {"flash-coil", pulse_kind::flash_coil},
    {"flash-registers", pulse_kind::flash_registers},
    {"command-register", pulse_kind::command_register},
    {"on-off", pulse_kind::on_off},
}};

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
    void pulse(board_profile& into) {
        const auto value = node("pulse.kind").value<std::string>().value_or("");
        const auto at =
            std::find_if(pulse_kinds.begin(), pulse_kinds.end(), [&](const auto& k) { return k.first == value; });
        if (at == pulse_kinds.end()) {
            errors_.emplace_back("pulse.kind: flash-coil, flash-registers, command-register or on-off is wanted");
            for (const auto* key : {"base", "unit_ms", "max_units", "stride", "all_off_coil"}) {
                known_.insert(fmt::format("pulse.{}", key));  // some kind wants it
            }
            return;
        }
        into.pulse = at->second;
        number("pulse.base", into.pulse_base, 0, 0xFFFF);
        number("pulse.unit_ms", into.pulse_unit_ms, 1, 1000);
        const bool byte = into.pulse == pulse_kind::command_register;
        number("pulse.max_units", into.pulse_max_units, 1, byte ? 0xFF : 0x7FFF);
        if (into.pulse == pulse_kind::flash_registers) {
            number("pulse.stride", into.pulse_stride, 2, 100);
        }
        if (!byte && root_.at_path("pulse.all_off_coil")) {
            number("pulse.all_off_coil", into.all_off_coil, 0, 0xFFFF);
        }
        range(into);
    }
    void identify(board_profile& into) {
        if (root_.at_path("identify")) {
            number("identify.register", into.identify_register, 0, 0xFFFF);
            number("identify.count", into.identify_count, 1, 32);
        }
    }
    // "All relays on" and addresses that wrap are not to be reached by a channel.
    void range(const board_profile& p) {
        const int last = p.pulse_base + (p.relays - 1) * p.pulse_stride;
        const auto covers = [&](int coil) { return p.pulse_base <= coil && coil <= last; };
        constexpr int waveshare_all_relays = 0x00FF;
        if (last > 0xFFFF) {
            errors_.push_back(fmt::format("pulse.base: channel {} would be at {}, beyond 65535", p.relays, last));
        } else if (p.pulse == pulse_kind::on_off && covers(waveshare_all_relays)) {
            errors_.emplace_back("pulse.base: a channel would be at coil 255, which is all relays on some boards");
        } else if (p.all_off_coil >= 0 && (covers(p.all_off_coil) || p.all_off_coil < p.relays)) {
            errors_.emplace_back("pulse.all_off_coil: it is one channel's own coil");
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
    c.pulse(p);
    c.identify(p);
    c.no_others();
    std::vector<std::string> errors = c.errors();
    constexpr std::array<int, 7> rates{1200, 2400, 4800, 9600, 19200, 38400, 115200};
    // libmodbus turns a rate it does not know into 9600 without a word.
    if (errors.empty() && std::find(rates.begin(), rates.end(), p.baud) == rates.end()) {
        errors.emplace_back("line.baud: 1200, 2400, 4800, 9600, 19200, 38400 or 115200 is wanted");
    }
    if (errors.empty() && p.longest_pulse_ms() > 5000) {
        errors.emplace_back("pulse: no coil is held for more than 5 s");
    }
    if (!errors.empty()) {
        return errors;
    }
    return p;
}

}  // namespace locker
