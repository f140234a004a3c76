#include "tests/simulation/desk.hpp"

#include <linux/input-event-codes.h>

#include <array>
#include <string_view>

namespace sim {
namespace {

constexpr std::size_t keypad_input = 0;
constexpr std::size_t hid_scanner = 1;
constexpr std::size_t serial_scanner = 2;

// A US keyboard as its rows are printed, written anew: it shares nothing with the reader's tables.
struct row {
    unsigned first;
    std::string_view plain;
    std::string_view shifted;
};
using rows = std::array<row, 5>;
constexpr rows us_rows = {{{KEY_1, "1234567890-=", "!@#$%^&*()_+"},
                           {KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"},
                           {KEY_A, "asdfghjkl;'", "ASDFGHJKL:\""},
                           {KEY_Z, "zxcvbnm,./", "ZXCVBNM<>?"},
                           {KEY_BACKSLASH, "\\", "|"}}};
// `~`: a character beyond ASCII, or none.
constexpr rows de_rows = {{{KEY_1, "1234567890", "!\"~$%&/()="},
                           {KEY_Q, "qwertzuiop~+", "QWERTZUIOP~*"},
                           {KEY_A, "asdfghjkl", "ASDFGHJKL"},
                           {KEY_Z, "yxcvbnm,.-", "YXCVBNM;:_"},
                           {KEY_BACKSLASH, "#", "'"}}};
constexpr rows fr_rows = {{{KEY_1, "&~\"'(-~_~~", "1234567890"},
                           {KEY_Q, "azertyuiop", "AZERTYUIOP"},
                           {KEY_A, "qsdfghjklm", "QSDFGHJKLM"},
                           {KEY_Z, "wxcvbn,;:", "WXCVBN?./"},
                           {KEY_BACKSLASH, "*", "~"}}};

// Nothing: that keyboard has no such key.
std::vector<desk::key> hid_keys(locker::key_layout layout, char c) {
    if (c == '\n') {
        return {{KEY_ENTER, 1}, {KEY_ENTER, 0}};
    }
    const auto& printed = layout == locker::key_layout::us   ? us_rows
                          : layout == locker::key_layout::de ? de_rows
                                                             : fr_rows;
    for (const auto& r : printed) {
        if (const auto at = r.plain.find(c); at != std::string_view::npos) {
            const auto code = r.first + static_cast<unsigned>(at);
            return {{code, 1}, {code, 0}};
        }
        if (const auto at = r.shifted.find(c); at != std::string_view::npos) {
            const auto code = r.first + static_cast<unsigned>(at);
            return {{KEY_LEFTSHIFT, 1}, {code, 1}, {code, 0}, {KEY_LEFTSHIFT, 0}};
        }
    }
    return {};
}

unsigned pad_code(char c) {
    constexpr unsigned digits[] = {KEY_KP0, KEY_KP1, KEY_KP2, KEY_KP3, KEY_KP4,
                                   KEY_KP5, KEY_KP6, KEY_KP7, KEY_KP8, KEY_KP9};
    return c == '*' ? KEY_KPASTERISK : c == '#' ? KEY_KPENTER : digits[c - '0'];
}

}  // namespace

locker::front_settings front_of(std::uint64_t seed, int board, int channel) {
    using locker::input_kind;
    using locker::key_layout;
    constexpr key_layout layouts[] = {key_layout::us, key_layout::de, key_layout::fr};
    const bool gm65 = seed / 3 % 2 == 0;
    locker::front_settings f;
    f.inputs.push_back({"keypad", input_kind::keypad, "keypad", "", 9600, locker::key_layout::us, false, 0});
    f.inputs.push_back({"hid", input_kind::scanner, "hid", "", 9600, layouts[seed % 3], false, 0});
    f.inputs.push_back({"serial", input_kind::scanner, "", "serial", 9600, key_layout::us, gm65, 0});
    f.outputs.push_back({"buzzer", board, channel, {{{500}, {200, 200, 200}, {100}}}});
    return f;
}

void desk::enter(visit v) {
    queue_.push_back(std::make_shared<visit>(std::move(v)));
    if (!typing_) {
        next();
    }
}

void desk::started() {
    for (const std::size_t input : {keypad_input, hid_scanner, serial_scanner}) {
        hooks_.plug(input, plugged_);
    }
}

void desk::died() {
    leftover_ = false;
    if (typing_) {
        leave("");
    }
}

void desk::unplug(std::int64_t lasts) {
    if (!plugged_ || !hooks_.there()) {
        return;
    }
    ++world_.met["front.unplugged"];
    plugged_ = false;
    started();
    if (typing_) {
        leave("");
    }
    if (world_.rng.chance(300)) {  // one of them alone comes back first
        world_.after(lasts / 2, [this] {
            if (hooks_.there() && !plugged_) {
                hooks_.plug(keypad_input, true);
                hooks_.plug(keypad_input, false);
            }
        });
    }
    world_.after(lasts, [this] {
        plugged_ = true;
        if (hooks_.there()) {
            started();
        }
    });
}

void desk::lose_keys() {
    if (!hooks_.there()) {
        return;
    }
    ++world_.met["front.keys_missed"];
    hooks_.missed(keypad_input);
    if (typing_ && !queue_.empty() && queue_.front()->via == "keypad") {
        leave("");  // the buzzer said no
    }
}

void desk::flood() {
    ++world_.met["front.flood"];
    visit keys{"keypad", "", {}};
    for (int i = 0; i < 60; ++i) {
        keys.text += static_cast<char>('0' + world_.rng.below(10));
    }
    enter(std::move(keys));
    enter({"scanner", std::string(5000, 'x'), {}});
}

std::vector<desk::stroke> desk::strokes_of(const visit& v) {
    std::vector<stroke> out;
    if (v.via == "scanner") {
        const auto& hid = settings_.inputs[hid_scanner];
        std::vector<key> all;
        bool typeable = true;
        for (const char c : v.text) {
            const auto keys = hid_keys(hid.layout, c);
            typeable = typeable && !keys.empty();
            all.insert(all.end(), keys.begin(), keys.end());
        }
        if (!typeable || world_.rng.chance(500)) {
            // The acknowledgement of a setting comes first, and the payload in two pieces.
            const auto cut = static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(v.text.size()) + 1));
            const bool gm65 = settings_.inputs[serial_scanner].gm65;
            const std::string acknowledgement("\x02\x00\x00\x01\x00\x33\x31", gm65 ? 7 : 0);
            ++world_.met[gm65 ? "front.scan_gm65" : "front.scan_serial"];
            out.push_back({serial_scanner, {}, acknowledgement + v.text.substr(0, cut), false});
            out.push_back({serial_scanner, {}, v.text.substr(cut) + "\r", true});
        } else {
            ++world_.met[hid.layout == locker::key_layout::us   ? "front.scan_us"
                         : hid.layout == locker::key_layout::de ? "front.scan_de"
                                                                : "front.scan_fr"];
            out.push_back({hid_scanner, all, "", false});
            out.push_back({hid_scanner, hid_keys(hid.layout, '\n'), "", true});
        }
        return out;
    }
    const auto hash = v.text.find('#');
    std::string typed = leftover_ ? "*" : "";
    ++world_.met["front.typed"];
    if (clumsy && world_.rng.chance(100)) {
        ++world_.met["front.cleared"];
        typed += v.text.substr(0, v.text.size() / 2) + "*";
    }
    typed += v.text;
    typed += hash == std::string::npos && v.text.size() <= locker::keypad::longest_number ? "##" : "#";
    for (const char c : typed) {
        out.push_back({keypad_input, {{pad_code(c), 1}, {pad_code(c), 2}, {pad_code(c), 0}}, "", false});
    }
    out.back().last = true;
    return out;
}

void desk::next() {
    if (queue_.empty()) {
        typing_ = false;
        return;
    }
    typing_ = true;
    if (!hooks_.there() || !plugged_) {
        leave("");
        return;
    }
    strokes_ = strokes_of(*queue_.front());
    leftover_ = false;
    stroke_ = 0;
    if (clumsy && queue_.front()->via == "scanner" && world_.rng.chance(30)) {
        ++world_.met["front.broken_scan"];
        strokes_.pop_back();
        auto& half = strokes_.back();
        half.keys.resize(half.keys.size() / 4 * 2);
        half.bytes.resize(half.bytes.size() / 2);
        strokes_.push_back({half.input, {}, "", false});  // half a second passes before the next one
    }
    if (clumsy && queue_.front()->via == "keypad" && world_.rng.chance(20)) {
        ++world_.met["front.left_in_the_middle"];
        strokes_.resize(strokes_.size() / 2);
    }
    world_.after(world_.rng.between(100, 400), [this, turn = ++turn_] { step(turn); });
}

void desk::step(std::uint64_t turn) {
    if (turn != turn_) {
        return;  // whoever it was has left
    }
    if (stroke_ == strokes_.size()) {
        leftover_ = true;
        leave("");
        return;
    }
    const stroke s = strokes_[stroke_++];
    const auto who = queue_.front();
    if (s.last) {
        ++turn_;
        queue_.pop_front();
        world_.after(300, [this, mine = ++turn_] {
            if (turn_ == mine) {
                next();
            }
        });
    } else {
        world_.after(world_.rng.between(60, 350), [this, turn] { step(turn); });
    }
    hooks_.give(s, who);
}

void desk::leave(const std::string& reply) {
    const auto who = queue_.empty() ? nullptr : queue_.front();
    if (who != nullptr) {
        queue_.pop_front();
    }
    world_.after(1, [this, who, reply, mine = ++turn_] {
        if (who != nullptr && who->answer) {
            who->answer(reply);
        }
        if (turn_ == mine) {
            next();
        }
    });
}

}  // namespace sim
