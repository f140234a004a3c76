// A simulated world's time: one ordered queue, one source of chance, one hash over everything that happens at a port.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/random.hpp"

namespace sim {

constexpr std::int64_t second = 1000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

// The power has gone in the middle of a call of a port: unwinds through the engine, which is gone then.
struct power_cut {};

// What must never be: names the invariant.
struct violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class world {
public:
    explicit world(std::uint64_t seed) : rng(seed) {}

    chance_source rng;
    std::int64_t now = 0;                                     // true milliseconds since the world began
    static constexpr std::int64_t birth = 1'800'000'000'000;  // true wall time then
    [[nodiscard]] std::int64_t true_wall() const { return birth + now; }

    void at(std::int64_t when, std::function<void()> what) {
        queue_.push({when < now ? now : when, ++order_, std::move(what)});
    }
    void after(std::int64_t ms, std::function<void()> what) { at(now + ms, std::move(what)); }
    void run_until(std::int64_t end) {
        while (!queue_.empty() && queue_.top().when <= end) {
            const auto what = std::move(const_cast<item&>(queue_.top()).what);
            now = queue_.top().when;
            queue_.pop();
            turns_ = now == last_turn_ ? turns_ + 1 : 0;
            last_turn_ = now;
            if (turns_ > 100'000 || queue_.size() > 100'000) {
                throw violation("the world runs away: " + std::to_string(queue_.size()) + " things wait");
            }
            what();
        }
        now = end > now ? end : now;
    }

    // How long calls of ports have held up the process that makes them, within what it does now.
    std::int64_t held_up_ms = 0;

    // ---- ports: every call is counted, hashed and, when asked for, told
    // The `cut_at`th call of a port is the power's last. 0: never.
    std::vector<std::uint64_t> cuts;
    std::uint64_t port_calls = 0;
    bool power_lost = false;
    bool tell = false;
    std::deque<std::string> story;  // the last lines

    // True: the power goes with this call.
    bool port(std::string_view what, std::string_view detail = {}) {
        mix(what);
        mix(detail);
        ++port_calls;
        ++met[std::string(what)];
        if (tell && what.substr(0, 5) != "disk.") {
            say(std::string(what) + " " + std::string(detail.substr(0, 300)));
        }
        if (!cuts.empty() && port_calls == cuts.front()) {
            cuts.erase(cuts.begin());
            power_lost = true;
            return true;
        }
        return power_lost;
    }
    // What happens outside of the process: hashed and told, no place to cut the power at.
    void note(std::string_view what, std::string_view detail = {}) {
        mix(what);
        mix(detail);
        ++met[std::string(what)];
        say(std::string(what) + " " + std::string(detail.substr(0, 300)));
    }
    void port_or_die(std::string_view what, std::string_view detail = {}) {
        if (port(what, detail)) {
            throw power_cut{};
        }
    }
    void say(const std::string& line) {
        if (tell) {
            story.push_back(clock() + " " + line);
            if (story.size() > 20000) {
                story.pop_front();
            }
        }
    }
    // As people read it: day, hour, minute, second, millisecond since the world began.
    [[nodiscard]] std::string clock() const {
        std::array<char, 40> text{};
        const auto part = [this](std::int64_t unit, std::int64_t of) { return static_cast<int>(now / unit % of); };
        (void)std::snprintf(text.data(), text.size(), "%d %02d:%02d:%02d.%03d", part(day, 100'000), part(hour, 24),
                            part(minute, 60), part(second, 60), part(1, 1000));
        return text.data();
    }
    [[nodiscard]] std::uint64_t hash() const { return hash_; }

    std::map<std::string, std::uint64_t> met;  // faults and states, for the coverage table

private:
    struct item {
        std::int64_t when;
        std::uint64_t order;
        std::function<void()> what;
        bool operator<(const item& o) const { return when != o.when ? when > o.when : order > o.order; }
    };
    void mix(std::string_view text) {
        for (const char c : text) {
            hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
        }
        hash_ = (hash_ ^ static_cast<std::uint64_t>(now)) * 0x100000001B3U;
    }
    std::priority_queue<item> queue_;
    std::uint64_t order_ = 0;
    std::uint64_t turns_ = 0;  // at this very millisecond
    std::int64_t last_turn_ = -1;
    std::uint64_t hash_ = 0xCBF29CE484222325U;
};

}  // namespace sim
