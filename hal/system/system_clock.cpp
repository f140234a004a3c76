#include "hal/system/system_clock.hpp"

#include <sys/random.h>

#include <cerrno>
#include <ctime>
#include <fstream>
#include <system_error>

#include "hal/system/clock_sync.hpp"

namespace locker {
namespace {

std::int64_t read_ms(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace

moment system_clock::now() const {
    return {read_ms(CLOCK_REALTIME), read_ms(CLOCK_BOOTTIME)};
}

std::int64_t system_clock::now_us() const {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

bool system_clock::trusted() const {
    if (battery_backed_) {
        return true;
    }
    const auto state = kernel_sync();
    return state == sync_state::yes || (state == sync_state::may_not_ask && told_sync(told_sync_file));
}

std::string system_clock::boot_id() const {
    std::ifstream in("/proc/sys/kernel/random/boot_id");
    std::string id;
    std::getline(in, id);
    return id;
}

std::vector<unsigned char> random_bytes(std::size_t count) {
    std::vector<unsigned char> out(count);
    std::size_t have = 0;
    while (have < count) {
        const ssize_t got = getrandom(out.data() + have, count - have, 0);
        if (got < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
        have += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return out;
}

}  // namespace locker
