// Space set aside beside the database: given up when the disk is full, so that what must be recorded can be. What fills
// it meanwhile is somebody else's, or years of neglect; an alarm is up long before.
#pragma once

#include <cstdint>
#include <string>

namespace locker {

class ballast {
public:
    static constexpr std::uint64_t bytes = 8ULL * 1024 * 1024;  // some hundred retrievals, with the write-ahead log

    // What an earlier run set aside is held again.
    explicit ballast(std::string file);

    [[nodiscard]] bool held() const { return held_; }
    // Sets the space aside unless it is, as far as the disk has it.
    void hold();
    // Whether there was any.
    bool give_up();

private:
    std::string file_;
    bool held_ = false;
};

}  // namespace locker
