#include "hal/system/exclusive.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace locker {
namespace {

std::string holder(const std::string& file) {
    std::ifstream in(file);
    std::string pid;
    std::getline(in, pid);
    std::ifstream comm("/proc/" + pid + "/comm");
    std::string name;
    std::getline(comm, name);
    return pid.empty() ? "another process" : fmt::format("process {} ({})", pid, name.empty() ? "unknown" : name);
}

}  // namespace

exclusive::exclusive(const std::string& file, const std::string& what)
    : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)) {
    if (fd_ < 0) {
        throw std::runtime_error(fmt::format("{}: {}: {}", what, file, std::strerror(errno)));
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        ::close(fd_);
        throw std::runtime_error(fmt::format("{} is held by {}", what, holder(file)));
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, pid.data(), pid.size(), 0) < 0) {
        // The lock holds all the same; only its holder's name is missing.
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
