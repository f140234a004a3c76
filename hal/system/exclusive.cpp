#include "hal/system/exclusive.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace locker {
namespace {

// By the kernel's list of locks (proc(5), /proc/locks): "3: FLOCK  ADVISORY  WRITE 123 fe:00:4711 0 EOF".
std::string holder(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) == 0) {
        std::ifstream locks("/proc/locks");
        for (std::string line; std::getline(locks, line);) {
            std::istringstream words(line);
            std::string nth, kind, how, what, pid, where;
            words >> nth >> kind >> how >> what >> pid >> where;
            if (kind == "FLOCK" && where.ends_with(fmt::format(":{}", info.st_ino))) {
                std::ifstream comm("/proc/" + pid + "/comm");
                std::string name;
                std::getline(comm, name);
                return fmt::format("process {} ({})", pid, name.empty() ? "unknown" : name);
            }
        }
    }
    return "another process";
}

}  // namespace

// Read only: root's tools and lockerd's user share these files, and a lock asks for no more.
exclusive::exclusive(const std::string& file, const std::string& what)
    : fd_(::open(file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)) {
    if (fd_ < 0 && errno == EACCES) {  // another's file in a folder that all may write to (fs.protected_regular)
        fd_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd_ < 0) {
        throw std::runtime_error(fmt::format("{}: {}: {}", what, file, std::strerror(errno)));
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        const auto who = holder(fd_);
        ::close(fd_);
        throw std::runtime_error(fmt::format("{} is held by {}", what, who));
    }
}

exclusive::~exclusive() {
    ::close(fd_);
}

std::string line_lock_file(const std::string& line) {
    char* real = ::realpath(line.c_str(), nullptr);  // a by-id name and its device are one line
    std::string name = real == nullptr ? line : real;
    std::free(real);
    // A pseudo-terminal's number is given to the next one as soon as it has gone: there the configured name is the
    // line.
    if (name.starts_with("/dev/pts/")) {
        name = line;
    }
    for (char& c : name) {
        if (c == '/' || c == ':') {
            c = '_';
        }
    }
    const std::string folder = ::access("/run/lock", W_OK) == 0 ? "/run/lock" : "/tmp";
    return folder + "/cloud-locker" + (name.starts_with("_") ? "" : "_") + name + ".lock";
}

}  // namespace locker
