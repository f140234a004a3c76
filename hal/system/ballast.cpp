#include "hal/system/ballast.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace locker {

ballast::ballast(std::string file) : file_(std::move(file)) {
    struct stat info {};
    held_ = ::stat(file_.c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) == bytes;
}

void ballast::hold() {
    if (held_) {
        return;
    }
    const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    held_ = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0;
    ::close(fd);
    if (!held_) {
        ::unlink(file_.c_str());  // half of it helps nobody
    }
}

bool ballast::give_up() {
    return std::exchange(held_, false) && ::unlink(file_.c_str()) == 0;
}

}  // namespace locker
