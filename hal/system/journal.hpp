// systemd's journal in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram a line, with fields that
// `journalctl` finds lines by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace locker {

// The line as a journal entry: MESSAGE, PRIORITY, and for each key=value of it LOCKER_<KEY>=value. A value may stand in
// quotes, and one that begins with a brace goes to the line's end.
[[nodiscard]] std::string journal_entry(std::string_view identifier, int priority, std::string_view line);

class journal {
public:
    explicit journal(std::string socket = "/run/systemd/journal/socket");
    ~journal();
    journal(const journal&) = delete;
    journal& operator=(const journal&) = delete;

    // Whether stderr goes to the journal (JOURNAL_STREAM, systemd.exec(5)).
    [[nodiscard]] static bool is_stderr();
    // Never waits: a journal that is stuck would hold up doors. `full`: it takes nothing now; `gone`: nobody is there,
    // or the line is too long.
    enum class answer : std::uint8_t { taken, full, gone };
    [[nodiscard]] answer send(const std::string& entry) const;

private:
    std::string socket_;
    int fd_ = -1;
};

}  // namespace locker
