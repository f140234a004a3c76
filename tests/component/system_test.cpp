// What lockerd asks of the system around it: space set aside, the medium's health, the journal.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "hal/system/ballast.hpp"
#include "hal/system/clock_sync.hpp"
#include "hal/system/journal.hpp"
#include "hal/system/medium.hpp"
#include "tests/component/temporary.hpp"

using namespace locker;
namespace fs = std::filesystem;

TEST_CASE("ballast: real blocks, given up once, held again; the next process finds it") {
    const temporary_folder folder;
    const auto file = folder.file("ballast");
    ballast b(file);
    CHECK(!b.held());
    CHECK(!b.give_up());
    b.hold();
    REQUIRE(b.held());
    struct stat info {};
    REQUIRE(stat(file.c_str(), &info) == 0);
    CHECK(static_cast<std::uint64_t>(info.st_blocks) * 512 >= ballast::bytes);
    CHECK(ballast(file).held());
    CHECK(b.give_up());
    CHECK(!b.held());
    CHECK(!fs::exists(file));
    CHECK(!b.give_up());
}

TEST_CASE("ballast: where there is no space for it, none of it is left") {
    const temporary_folder folder;
    const auto file = folder.file("ballast");
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{1 << 20, 1 << 20};
        setrlimit(RLIMIT_FSIZE, &small);
        ballast b(file);
        b.hold();
        _exit(b.held() || fs::exists(file) ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
}

TEST_CASE("medium: what eMMC, ext4 and the kernel tell; what is not told is left out") {
    const temporary_folder folder;
    struct stat info {};
    REQUIRE(stat(folder.file(".").c_str(), &info) == 0);
    const auto put = [&](const std::string& path, const std::string& text) {
        fs::create_directories(fs::path(folder.file(path)).parent_path());
        std::ofstream(folder.file(path)) << text;
    };
    CHECK(!health_of(folder.file("."), folder.file("nothing")).written_mb);
    CHECK(health_of(folder.file("."), folder.file("nothing")).free_bytes > 0);

    put("devices/mmcblk0/stat", "  100 0 2000 5   300 0 40960 7 0 0 0\n");
    put("devices/mmcblk0/device/life_time", "0x02 0x0a\n");
    put("devices/mmcblk0/device/pre_eol_info", "0x01\n");
    put("devices/mmcblk0/mmcblk0p3/partition", "3\n");
    put("fs/ext4/mmcblk0p3/lifetime_write_kbytes", "3072\n");
    put("fs/ext4/mmcblk0p3/errors_count", "0\n");
    fs::create_directories(folder.file("dev/block"));
    fs::create_directory_symlink(folder.file("devices/mmcblk0/mmcblk0p3"),
                                 folder.file(fmt::format("dev/block/{}:{}", major(info.st_dev), minor(info.st_dev))));
    const auto m = health_of(folder.file("."), folder.file("."));
    CHECK(m.written_mb == 20);
    CHECK(m.lifetime_written_mb == 3);
    CHECK(m.life_used_percent == 100);
    CHECK(m.pre_eol == 1);
    CHECK(m.errors == 0);
    CHECK(wears_out(m));
    put("devices/mmcblk0/device/life_time", "0x02 0x03\n");
    CHECK(!wears_out(health_of(folder.file("."), folder.file("."))));
    put("fs/ext4/mmcblk0p3/errors_count", "2\n");
    CHECK(wears_out(health_of(folder.file("."), folder.file("."))));
    put("devices/mmcblk0/device/life_time", "rubbish\n");
    CHECK(!health_of(folder.file("."), folder.file(".")).life_used_percent);
}

TEST_CASE("journal: a line's words are fields, and it comes in one datagram") {
    CHECK(journal_entry("lockerd", 4, R"(event=board_lost board=A why="no answer" data={"a":"b c"})") ==
          "SYSLOG_IDENTIFIER=lockerd\nPRIORITY=4\nMESSAGE=event=board_lost board=A why=\"no answer\" data={\"a\":\"b "
          "c\"}\n"
          "LOCKER_EVENT=board_lost\nLOCKER_BOARD=A\nLOCKER_WHY=no answer\nLOCKER_DATA={\"a\":\"b c\"}\n");
    CHECK(journal_entry("lockerd", 6, "two\nlines x=\"a\nb") ==
          "SYSLOG_IDENTIFIER=lockerd\nPRIORITY=6\nMESSAGE=two lines x=\"a b\nLOCKER_X=a b\n");
    CHECK(journal_entry("lockerd", 6, "event= subject= a-b=1") ==
          "SYSLOG_IDENTIFIER=lockerd\nPRIORITY=6\nMESSAGE=event= subject= a-b=1\nLOCKER_EVENT=\nLOCKER_SUBJECT=\n"
          "LOCKER_A_B=1\n");

    const temporary_folder folder;
    const auto path = folder.file("socket");
    const journal to(path);
    CHECK(to.send("MESSAGE=x\n") == journal::answer::gone);  // nobody is there
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(to.send("MESSAGE=x\n") == journal::answer::taken);
    char got[64] = {};
    CHECK(recv(fd, got, sizeof got, 0) == 10);
    CHECK(std::string(got) == "MESSAGE=x\n");
    auto answer = journal::answer::taken;
    for (int i = 0; i < 10'000 && answer == journal::answer::taken; ++i) {
        answer = to.send("MESSAGE=x\n");  // nobody reads: it does not wait for them
    }
    CHECK(answer == journal::answer::full);
    close(fd);
}

TEST_CASE("clock: the word of who may ask the kernel counts while it is fresh") {
    const temporary_folder folder;
    const auto file = folder.file("synchronised");
    CHECK(!told_sync(file));
    tell_sync(file, true);
    CHECK(told_sync(file));
    tell_sync(file, false);
    CHECK(!told_sync(file));
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    const auto now = static_cast<std::int64_t>(t.tv_sec);
    const std::pair<std::string, bool> words[] = {{std::to_string(now - 25), true},
                                                  {std::to_string(now - 40), false},  // who told it has died
                                                  {std::to_string(now + 100), false},
                                                  {"yes", false},
                                                  {"", false}};
    for (const auto& [word, counts] : words) {
        std::ofstream(file) << word;
        CHECK(told_sync(file) == counts);
    }
}
