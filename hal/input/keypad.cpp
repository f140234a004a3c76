#include "hal/input/keypad.hpp"

#include <utility>

namespace locker {

keypad::typed keypad::press(char key, std::int64_t now) {
    expire(now);
    const bool digit = key >= '0' && key <= '9';
    const bool hash = key == '#' || key == '\n';
    if (key == '*' || key == '\b') {
        const bool something = due() != INT64_MAX;
        forget();
        return {something ? outcome::cleared : outcome::goes_on, ""};
    }
    if (!digit && !hash) {
        return {};
    }
    last_ = now;
    if (digit) {
        too_long_ = too_long_ || line_.size() >= longest;
        line_ += too_long_ ? "" : std::string(1, key);
        return {};
    }
    if (too_long_) {
        forget();
        return {outcome::dropped, ""};
    }
    if (line_.empty()) {
        return {};
    }
    const auto between = line_.find('#');
    if (between == std::string::npos && line_.size() <= longest_number) {
        line_ += '#';
        return {};
    }
    if (between + 1 == line_.size()) {
        line_.pop_back();  // nothing came after it: the number alone
    }
    return {outcome::line, std::exchange(line_, "")};
}

std::int64_t keypad::due() const {
    return line_.empty() && !too_long_ ? INT64_MAX : last_ + between_keys_ms;
}

bool keypad::expire(std::int64_t now) {
    if (now < due()) {
        return false;
    }
    forget();
    return true;
}

void keypad::forget() {
    line_.clear();
    too_long_ = false;
}

}  // namespace locker
