// The cabinet's front in a simulated world: one person after the other, key by key and scan by scan, through the
// production reader. People type slowly, wrongly, leave in the middle; devices are unplugged and come back.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/runtime/front.hpp"
#include "tests/simulation/world.hpp"

namespace sim {

// A keypad, a scanner that types like a keyboard, a serial scanner; a buzzer. The scanners are of another make in each
// world.
[[nodiscard]] locker::front_settings front_of(std::uint64_t seed, int board, int channel);

// One line on its way into the front.
struct visit {
    std::string via;  // keypad or scanner
    std::string text;
    std::function<void(std::string)> answer;  // the reply; "" from a cabinet that is dead
};

class desk {
public:
    struct key {
        unsigned code = 0;
        int value = 0;
    };
    // What one moment of somebody's typing gives the reader.
    struct stroke {
        std::size_t input = 0;
        std::vector<key> keys;
        std::string bytes;
        bool last = false;
    };
    struct hooks {
        std::function<bool()> there;  // lockerd runs
        std::function<void(const stroke&, const std::shared_ptr<visit>&)> give;
        std::function<void(std::size_t input, bool present)> plug;
        std::function<void(std::size_t input)> missed;
    };
    desk(world& w, const locker::front_settings& s, hooks h) : world_(w), settings_(s), hooks_(std::move(h)) {}

    bool clumsy = false;
    void enter(visit v);
    void started();  // lockerd finds its devices
    void died();     // whoever types stops
    void unplug(std::int64_t lasts);
    void lose_keys();  // the kernel's queue was full
    void flood();      // somebody leans on the keys, and shows a page of text

private:
    void next();
    void step(std::uint64_t turn);
    void leave(const std::string& reply);
    [[nodiscard]] std::vector<stroke> strokes_of(const visit& v);

    world& world_;
    const locker::front_settings settings_;
    hooks hooks_;
    std::deque<std::shared_ptr<visit>> queue_;  // the first is at it
    std::vector<stroke> strokes_;
    std::size_t stroke_ = 0;
    std::uint64_t turn_ = 0;
    bool typing_ = false;
    bool leftover_ = false;  // keys of somebody who left
    bool plugged_ = true;
};

}  // namespace sim
