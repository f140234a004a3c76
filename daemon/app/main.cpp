// lockerd: the daemon of one cabinet.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <list>

#include "daemon/app/config.hpp"
#include "daemon/runtime/log.hpp"
#include "daemon/runtime/runtime.hpp"
#include "hal/store/database_file.hpp"
#include "hal/system/exclusive.hpp"

namespace {

constexpr int exit_config = 78;  // EX_CONFIG: systemd does not restart it
constexpr int exit_held = 75;    // EX_TEMPFAIL: somebody else holds the folder or a line
constexpr int exit_failed = 70;
constexpr int exit_damaged = 65;  // EX_DATAERR: starting again does not mend it

int check(const std::string& file, locker::settings& out) {
    auto read = locker::read_config(file);
    if (const auto* errors = std::get_if<std::vector<locker::config_error>>(&read)) {
        for (const auto& e : *errors) {
            std::cerr << locker::shown(file, e) << "\n";
        }
        std::cerr << fmt::format("{}: {} mistake{}\n", file, errors->size(), errors->size() == 1 ? "" : "s");
        return exit_config;
    }
    out = std::get<locker::settings>(std::move(read));
    out.cabinet.version = LOCKER_VERSION;
    for (const auto& w : out.warnings) {
        std::cerr << file << ": warning: " << w << "\n";
    }
    return 0;
}

int run(locker::settings s) {
    std::list<locker::exclusive> held;
    if (const auto database = s.state_folder + "/locker.db"; s.state_must_exist && !std::filesystem::exists(database)) {
        std::cerr << fmt::format(
            "lockerd: {} is not there, and [state] must_exist says that it must be: mount the partition it lies on, or "
            "put back a backup with lockerctl restore\n",
            database);
        return exit_config;
    }
    if (const auto mark = locker::interrupted_mark(s.state_folder + "/locker.db"); std::filesystem::exists(mark)) {
        std::cerr << fmt::format("lockerd: {} is there: a restore was interrupted; run lockerctl restore again\n",
                                 mark);
        return exit_config;
    }
    std::error_code error;
    std::filesystem::create_directories(s.state_folder, error);
    if (error) {
        std::cerr << fmt::format("lockerd: [state] folder {}: {}\n", s.state_folder, error.message());
        return exit_config;
    }
    ::chmod(s.state_folder.c_str(), 0750);
    if (::access(s.state_folder.c_str(), W_OK) != 0) {
        std::cerr << fmt::format("lockerd: [state] folder {} cannot be written: {}\n", s.state_folder,
                                 std::strerror(errno));
        return exit_failed;
    }
    try {
        held.emplace_back(s.state_folder + "/lock", "state folder " + s.state_folder);
        for (const auto& bus : s.buses) {
            const std::string line =
                bus.line.device.empty() ? fmt::format("{}:{}", bus.line.host, bus.line.port) : bus.line.device;
            held.emplace_back(locker::line_lock_file(line), "line " + line);
        }
    } catch (const std::exception& e) {
        std::cerr << "lockerd: " << e.what() << "\n";
        return exit_held;
    }
    locker::start_log();
    for (const auto& bus : s.buses) {
        for (const auto& b : bus.boards) {
            if (b.profile.inputs == 0) {
                locker::log(
                    locker::log_level::warning,
                    fmt::format(
                        "event=no_inputs board={} profile={} meaning=\"its doors need contacts on another board\"",
                        b.name, b.profile.name));
            }
        }
    }
    locker::runtime daemon(std::move(s));
    return daemon.run();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"lockerd: opens the compartments of one cabinet for those who may, and records it."};
    std::string file = "/etc/cloud-locker/lockerd.toml";
    bool check_only = false;
    app.add_option("--config", file, "Configuration file")->capture_default_str();
    auto* check_option = app.add_option_function<std::string>(
        "--check-config",
        [&](const std::string& f) {
            file = f;
            check_only = true;
        },
        "Check a configuration file and exit");
    check_option->type_name("FILE");
    app.set_version_flag("--version", LOCKER_VERSION);
    CLI11_PARSE(app, argc, argv);

    ::prctl(PR_SET_DUMPABLE, 0);  // keys stay out of core dumps and other processes' reach
    locker::settings s;
    if (const int code = check(file, s); code != 0) {
        return code;
    }
    if (check_only) {
        std::cout << fmt::format("{}: cabinet {}: {} compartments on {} boards, {} bus(es): good\n", file, s.cabinet.id,
                                 s.cabinet.compartments.size(), s.cabinet.boards.size(), s.buses.size());
        return 0;
    }
    const std::string folder = s.state_folder;
    try {
        return run(std::move(s));
    } catch (const locker::core::wrong_database& e) {
        std::cerr << fmt::format("lockerd: state folder {}: {}\n", folder, e.what());
        return exit_config;
    } catch (const locker::damaged_archive& e) {
        std::cerr << fmt::format("lockerd: state folder {}: {}; nothing was changed\n", folder, e.what());
        return exit_damaged;
    } catch (const std::exception& e) {
        std::cerr << "lockerd: " << e.what() << "\n";
        return exit_failed;
    }
}
