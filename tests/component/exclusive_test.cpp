#include "hal/system/exclusive.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/component/temporary.hpp"

using locker::exclusive;

TEST_CASE("exclusive: a second owner hears who holds it; a killed owner holds nothing") {
    const temporary_folder folder;
    const auto file = folder.file("lock");
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        const exclusive held(file, "the folder");
        (void)!write(ready[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    char byte = 0;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    CHECK_THROWS_WITH_AS(exclusive(file, "the folder"), doctest::Contains(std::to_string(child).c_str()),
                         std::runtime_error);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    CHECK_NOTHROW(exclusive(file, "the folder"));
    close(ready[0]);
    close(ready[1]);
}

TEST_CASE("exclusive: in one process, too, and free again afterwards") {
    const temporary_folder folder;
    const auto file = folder.file("lock");
    auto first = std::make_unique<exclusive>(file, "line");
    CHECK_THROWS_AS(exclusive(file, "line"), std::runtime_error);
    first.reset();
    CHECK_NOTHROW(exclusive(file, "line"));
}

TEST_CASE("exclusive: two names of one device are one line") {
    const temporary_folder folder;
    std::filesystem::create_symlink("/dev/null", folder.file("by-id"));
    CHECK(locker::line_lock_file(folder.file("by-id")) == locker::line_lock_file("/dev/null"));
    // … but a pseudo-terminal's number soon belongs to another line
    std::filesystem::create_symlink("/dev/pts/ptmx", folder.file("a.tty"));
    std::filesystem::create_symlink("/dev/pts/ptmx", folder.file("b.tty"));
    CHECK(locker::line_lock_file(folder.file("a.tty")) != locker::line_lock_file(folder.file("b.tty")));
    CHECK(locker::line_lock_file("127.0.0.1:502") != locker::line_lock_file("127.0.0.1:503"));
    CHECK(locker::line_lock_file("127.0.0.1:502").find(':') == std::string::npos);
}
