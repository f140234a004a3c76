#include "hal/system/journal.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace locker {
namespace {

std::string field_name(std::string_view key) {
    std::string out = "LOCKER_";
    for (const char c : key) {
        out += std::isalnum(static_cast<unsigned char>(c)) != 0
                   ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                   : '_';
    }
    return out;
}

// A value with a line break would want the protocol's binary form; ours have none.
std::string in_one_line(std::string_view text) {
    std::string out(text);
    std::replace(out.begin(), out.end(), '\n', ' ');
    return out;
}

// The value that begins at `at`; `at` goes behind it.
std::string_view value_at(std::string_view line, std::size_t& at) {
    const bool quoted = at < line.size() && line[at] == '"';
    const bool rest = at < line.size() && line[at] == '{';
    const std::size_t begin = quoted ? at + 1 : at;
    const std::size_t end = std::min(rest ? line.size() : line.find(quoted ? '"' : ' ', begin), line.size());
    at = quoted ? end + 1 : end;
    return line.substr(begin, end - begin);
}

}  // namespace

std::string journal_entry(std::string_view identifier, int priority, std::string_view line) {
    std::string out =
        fmt::format("SYSLOG_IDENTIFIER={}\nPRIORITY={}\nMESSAGE={}\n", identifier, priority, in_one_line(line));
    for (std::size_t at = 0; at < line.size();) {
        const auto equals = line.find('=', at);
        if (equals == std::string_view::npos) {
            break;
        }
        const auto space = line.substr(0, equals).rfind(' ');
        const auto key = line.substr(space == std::string_view::npos ? 0 : space + 1,
                                     equals - (space == std::string_view::npos ? 0 : space + 1));
        at = equals + 1;
        const auto value = value_at(line, at);
        if (!key.empty()) {
            out += fmt::format("{}={}\n", field_name(key), in_one_line(value));
        }
    }
    return out;
}

journal::journal(std::string socket)
    : socket_(std::move(socket)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

journal::~journal() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

bool journal::is_stderr() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat info {};
    return stream != nullptr && ::fstat(STDERR_FILENO, &info) == 0 &&
           fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

journal::answer journal::send(const std::string& entry) const {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, socket_.c_str(), sizeof to.sun_path - 1);
    if (::sendto(fd_, entry.data(), entry.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to),
                 sizeof to) == static_cast<ssize_t>(entry.size())) {
        return answer::taken;
    }
    return errno == EAGAIN || errno == ENOBUFS ? answer::full : answer::gone;
}

}  // namespace locker
