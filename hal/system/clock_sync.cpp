#include "hal/system/clock_sync.hpp"

#include <sys/timex.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fstream>

namespace locker {
namespace {

std::int64_t since_boot_s() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<std::int64_t>(t.tv_sec);
}

}  // namespace

sync_state kernel_sync() {
    timex t{};
    const int state = adjtimex(&t);
    if (state < 0) {
        return errno == EPERM ? sync_state::may_not_ask : sync_state::no;
    }
    return state != TIME_ERROR && (t.status & STA_UNSYNC) == 0 ? sync_state::yes : sync_state::no;
}

void tell_sync(const std::string& file, bool synchronised) {
    if (!synchronised) {
        std::remove(file.c_str());
        return;
    }
    const std::string fresh = file + ".new";
    std::ofstream(fresh) << since_boot_s() << "\n";
    std::rename(fresh.c_str(), file.c_str());
}

bool told_sync(const std::string& file) {
    std::ifstream in(file);
    std::int64_t at = 0;
    const std::int64_t age = in >> at ? since_boot_s() - at : -1;
    return age >= 0 && age <= 3 * tell_every_s;
}

}  // namespace locker
