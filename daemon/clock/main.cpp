// lockerd-clock: tells lockerd, which may not ask, whether the kernel calls the clock synchronised.
#include <chrono>
#include <thread>

#include "hal/system/clock_sync.hpp"

int main() {
    for (;;) {
        locker::tell_sync(locker::told_sync_file, locker::kernel_sync() == locker::sync_state::yes);
        std::this_thread::sleep_for(std::chrono::seconds(locker::tell_every_s));
    }
}
