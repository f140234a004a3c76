#include "hal/input/scanner.hpp"

#include <utility>

namespace locker {

std::vector<scanner::scanned> scanner::take(std::string_view bytes, std::int64_t now) {
    expire(now);
    std::vector<scanned> out;
    constexpr char acknowledgement = '\x02';
    for (const char c : bytes) {
        last_ = now;
        if (frame_left_ > 0) {
            --frame_left_;
        } else if (acknowledges_ && c == acknowledgement && line_.empty() && !spoilt_) {
            frame_left_ = gm65::acknowledgement_bytes - 1;
        } else if (c == '\r' || c == '\n') {
            if (spoilt_ || !line_.empty()) {
                const bool whole = !std::exchange(spoilt_, false);
                out.push_back({whole, whole ? std::exchange(line_, "") : ""});
                line_.clear();
            }
        } else if (spoilt_ || line_.size() >= longest || c < ' ' || c > '~') {
            spoilt_ = true;
            line_.clear();
        } else {
            line_ += c;
        }
    }
    return out;
}

std::int64_t scanner::due() const {
    return line_.empty() && !spoilt_ && frame_left_ == 0 ? INT64_MAX : last_ + between_bytes_ms;
}

bool scanner::expire(std::int64_t now) {
    if (now < due()) {
        return false;
    }
    const bool something = !line_.empty() || spoilt_;
    forget();
    return something;
}

void scanner::forget() {
    line_.clear();
    spoilt_ = false;
    frame_left_ = 0;
}

}  // namespace locker
