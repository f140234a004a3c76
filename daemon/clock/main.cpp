// lockerd-clock: tells lockerd, which may not ask, whether the kernel calls the clock synchronised.
#include <chrono>
#include <string_view>
#include <thread>

#include "hal/system/clock_sync.hpp"

// --once: before lockerd starts, so that it finds a word.
int main(int argc, char** argv) {
    for (;;) {
        locker::tell_sync(locker::told_sync_file, locker::kernel_sync() == locker::sync_state::yes);
        if (argc > 1 && std::string_view(argv[1]) == "--once") {
            return 0;
        }
        std::this_thread::sleep_for(std::chrono::seconds(locker::tell_every_s));
    }
}
