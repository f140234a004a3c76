#include "daemon/ctl/commission/lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>
#include <stdexcept>
#include <thread>

namespace locker {
namespace {

constexpr std::int64_t silence_ms = 50;  // before a question, and after an answer that did not come
constexpr int tries = 3;
constexpr int reads = 30;
constexpr int collision_tries = 8;
constexpr int releases = 200;               // a minute and more
constexpr std::int64_t probe_us = 250'000;  // a board that is there answers sooner; nobody is waiting

}  // namespace

std::int64_t monotonic_ms() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

void sleep_ms(std::int64_t ms) {
    if (ms > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    }
}

cabinet_lines::cabinet_lines(const std::vector<line_settings>& lines, std::vector<board_profile> profiles)
    : profiles_(std::move(profiles)) {
    for (const auto& settings : lines) {
        auto line = std::make_unique<modbus_line>(settings);
        if (!line->open()) {
            throw std::runtime_error(fmt::format(
                "line {}: {}",
                settings.device.empty() ? fmt::format("{}:{}", settings.host, settings.port) : settings.device,
                line->last_error()));
        }
        lines_.push_back({settings, std::move(line)});
    }
}

cabinet_lines::~cabinet_lines() {
    drop_all();
}

modbus_line::peer& cabinet_lines::peer(std::size_t board) {
    auto& p = peers_.at(board);
    p.profile = &boards_.at(board).profile;
    return p;
}

void cabinet_lines::drop_all() {
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        auto& line = *lines_[line_of_[b]].line;
        for (int i = 0; i < tries && line.open(); ++i) {
            if (line.drop_all(peer(b)) == line_result::ok) {
                break;
            }
        }
    }
}

void cabinet_lines::scan(int first, int last, const std::function<void(const std::string& bus, int address)>& each) {
    for (auto& on : lines_) {
        for (int address = first; address <= last; ++address) {
            each(on.settings.name, address);
            identify(on, address);
        }
    }
    drop_all();
}

// Asks what boards of the profiles would answer, largest first, so that the first that fits is the board's size.
void cabinet_lines::identify(one_line& on, int address) {
    board_profile plain;  // the silence that the most patient board of the profiles wants
    for (const auto& p : profiles_) {
        plain.gap_characters = std::max(plain.gap_characters, p.gap_characters);
    }
    plain.timeout_ms = static_cast<int>(probe_us / 1000);
    modbus_line::peer who{address, &plain, probe_us, false};
    std::vector<std::uint8_t> answer;
    int heard = 0;
    int garbled = 0;
    const auto ask = [&](int function, int at, int count) {
        (void)on.line->open();
        const auto result = on.line->probe(who, function, at, count, answer);
        heard += result == line_result::ok || result == line_result::refused ? 1 : 0;
        garbled += result == line_result::silent && on.line->garbled() ? 1 : 0;
        return result == line_result::ok;
    };
    // A frame may be lost: asked three times before nobody is there.
    for (int i = 0; i < tries && heard == 0 && garbled == 0; ++i) {
        (void)ask(1, 0, 1);
    }
    if (heard == 0 && garbled == 0) {
        return;
    }
    // Two boards that answer at once spoil each other's frames, nearly every time; noise spoils one now and then.
    heard = garbled = 0;
    for (int i = 0; i < collision_tries; ++i) {
        (void)ask(1, 0, 1);
    }
    if (garbled * 2 > heard) {
        oddities_.push_back({on.settings.name, address, true, false, ""});
        return;
    }
    std::set<int, std::greater<>> relays;
    std::set<int, std::greater<>> inputs;
    for (const auto& p : profiles_) {
        if (p.pulse != pulse_kind::command_register) {
            relays.insert(p.relays);
        }
        inputs.insert(p.inputs);
    }
    const auto largest = [&](int function, const auto& sizes) {
        for (const int size : sizes) {
            for (int i = 0; size > 0 && i < tries; ++i) {
                heard = 0;
                if (ask(function, 0, size)) {
                    return size;
                }
                if (heard > 0) {
                    break;  // it said no
                }
            }
        }
        return 0;
    };
    const int coils = largest(1, relays);
    const int contacts = largest(2, inputs);
    std::set<std::pair<int, int>> registers;
    std::string firmware;
    for (const auto& p : profiles_) {
        const std::pair key{p.identify_register, p.identify_count};
        if (p.identify_register < 0 || registers.count(key) != 0) {
            continue;
        }
        for (int i = 0; i < tries; ++i) {
            heard = 0;
            if (ask(3, p.identify_register, p.identify_count)) {
                registers.insert(key);
                constexpr int version_register = 0x8000;
                if (p.identify_register == version_register && answer.size() == 2) {
                    const int version = answer[0] * 256 + answer[1];
                    firmware = fmt::format("{}.{:02}", version / 100, version % 100);
                }
            }
            if (heard > 0) {
                break;
            }
        }
    }
    const board_profile* best = nullptr;
    for (const auto& p : profiles_) {
        const bool known = p.identify_register >= 0;
        const bool fits = p.inputs == contacts &&
                          (p.pulse == pulse_kind::command_register ? coils == 0 : p.relays == coils) &&
                          (!known || registers.count({p.identify_register, p.identify_count}) != 0);
        // One that can prove itself goes before one that nothing tells.
        if (fits && (best == nullptr || (known && best->identify_register < 0))) {
            best = &p;
        }
    }
    if (best == nullptr) {
        oddities_.push_back(
            {on.settings.name, address, false, true,
             fmt::format("{} relays, {} inputs, no identification that a profile knows", coils, contacts)});
        return;
    }
    boards_.push_back({"", on.settings.name, address, *best, firmware});
    line_of_.push_back(static_cast<std::size_t>(&on - lines_.data()));
    peers_.push_back({address, nullptr, 0, false});
}

bool cabinet_lines::read(std::size_t board, std::uint32_t& bits) {
    auto& line = *lines_[line_of_[board]].line;
    for (int i = 0; i < reads; ++i) {
        if (line.open() && line.read(peer(board), bits) == line_result::ok) {
            return true;
        }
        sleep_ms(i < tries ? 0 : 100);  // a hiccup is over soon
    }
    return false;
}

std::optional<std::uint32_t> cabinet_lines::read_within(std::size_t board, std::int64_t left_ms) {
    auto& line = *lines_[line_of_[board]].line;
    std::uint32_t bits = 0;
    const bool in_time = boards_[board].profile.timeout_ms + silence_ms <= left_ms;
    return in_time && line.is_open() && line.read(peer(board), bits) == line_result::ok ? std::optional(bits)
                                                                                        : std::nullopt;
}

bool cabinet_lines::begin(const board_channel& relay, std::int64_t length_ms) {
    auto& line = *lines_[line_of_[relay.board]].line;
    return line.open() && line.pulse(peer(relay.board), relay.channel, length_ms) == line_result::ok;
}

void cabinet_lines::end(const board_channel& relay) {
    auto& line = *lines_[line_of_[relay.board]].line;
    if (boards_[relay.board].profile.pulse == pulse_kind::on_off) {
        // It may be on: nothing else is done until it is off.
        for (int i = 0; !line.open() || line.release(peer(relay.board), relay.channel) != line_result::ok; ++i) {
            if (i == releases) {
                throw std::runtime_error(fmt::format(
                    "board {} does not answer, and relay {} of it may be on: take its power away, then find out why",
                    boards_[relay.board].name, relay.channel + 1));
            }
            sleep_ms(50);
        }
    }
}

}  // namespace locker
