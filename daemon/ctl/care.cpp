#include "daemon/ctl/care.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <thread>

#include "daemon/ctl/client.hpp"
#include "daemon/ctl/ledger_view.hpp"
#include "hal/config/key_files.hpp"
#include "hal/store/database_file.hpp"
#include "hal/store/sqlite_store.hpp"
#include "hal/system/exclusive.hpp"
#include "protocol/code.hpp"
#include "protocol/timestamp.hpp"

namespace locker {
namespace {

namespace fs = std::filesystem;
using boost::json::array;
using boost::json::object;

constexpr std::uint64_t upgrade_space_bytes = 32ULL * 1024 * 1024;  // twice what lockerd calls low

struct not_now : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace

std::optional<settings> settings_of(const std::string& config) {
    auto read = read_config(config);
    if (const auto* errors = std::get_if<std::vector<config_error>>(&read)) {
        for (const auto& e : *errors) {
            std::cerr << shown(config, e) << "\n";
        }
        return std::nullopt;
    }
    return std::get<settings>(std::move(read));
}

std::string database_of(const settings& s) {
    return s.state_folder + "/locker.db";
}

void give_to_owner_of(const std::string& folder, const std::string& file) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) == 0 && ::chown(file.c_str(), info.st_uid, info.st_gid) != 0 &&
        ::geteuid() == 0) {
        throw std::runtime_error(file + " cannot be given to the owner of " + folder);
    }
}

namespace {

std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

verification verify_file(const std::string& database) {
    return verify(rows_from_file(database), head_from_file(database), [](std::uint64_t) {});
}

// ---- backup

int backup(const options& o, const std::string& config, const std::string& folder) {
    const auto s = settings_of(config);
    if (!s) {
        return exit_config;
    }
    std::error_code error;
    if (fs::exists(folder, error)) {
        throw std::runtime_error(folder + " exists already: a backup gets a folder of its own");
    }
    // Whole under its name, or not there.
    const std::string part = folder + ".part";
    fs::remove_all(part, error);
    if (!fs::create_directory(part, error)) {
        throw std::runtime_error(part + ": " + error.message());
    }
    fs::permissions(part, fs::perms::owner_all, error);  // a medium without permissions is under lock itself
    const std::string copy = part + "/locker.db";
    copy_database(database_of(*s), copy);
    const auto text = read_text_file(config);
    if (!text) {
        throw std::runtime_error(text.error().what);
    }
    write_new_file(part + "/lockerd.toml", *text, 0600);
    const auto v = verify_file(copy);
    fs::rename(part, folder);
    if (o.json) {
        std::cout << serialize(object{{"ok", v.wrong.empty()},
                                      {"cabinet", s->cabinet.id},
                                      {"sequence", v.last},
                                      {"head", to_hex(v.head)},
                                      {"wrong", v.wrong}})
                  << "\n";
    } else if (v.wrong.empty()) {
        std::cout << fmt::format("{}: ledger of {} up to row {}, head {}, and its configuration. No key is in it.\n",
                                 folder, s->cabinet.id, v.last, to_hex(v.head));
    } else {
        std::cout << fmt::format("{} is written, but its chain is broken: {}\n", folder, v.wrong);
    }
    return v.wrong.empty() ? 0 : exit_refused;
}

// ---- restore

std::vector<std::string> keys_known_to(const std::string& database) {
    try {
        const sqlite_store store(database, sqlite_store::mode::read_only);
        const auto meta = boost::json::parse(store.find("meta", "cabinet").value_or("{}")).as_object();
        const auto* ids = meta.if_contains("key_ids");
        return ids == nullptr ? std::vector<std::string>() : boost::json::value_to<std::vector<std::string>>(*ids);
    } catch (const std::exception&) {
        return {};  // damaged, or none: it says nothing
    }
}

bool has_one_of(const settings& s, const std::vector<std::string>& known) {
    return std::any_of(s.cabinet.cabinet_keys.begin(), s.cabinet.cabinet_keys.end(), [&](const auto& key) {
        return std::find(known.begin(), known.end(), key_id(key)) != known.end();
    });
}

// What of the database is no good for this cabinet, as a sentence; empty: nothing.
std::string unfit(const std::string& database, const settings& s) {
    if (const auto damage = damage_of(database); !damage.empty()) {
        return "it is damaged: " + damage;
    }
    std::string meta;
    {
        const sqlite_store store(database, sqlite_store::mode::read_only);
        meta = store.find("meta", "cabinet").value_or("");
    }
    if (meta.empty()) {
        return "no lockerd has ever written it";
    }
    const auto known = boost::json::parse(meta).as_object();
    if (const auto* cabinet = known.if_contains("cabinet");
        cabinet == nullptr || *cabinet != boost::json::string(s.cabinet.id)) {
        return fmt::format("it is of cabinet {}, the configuration of {}",
                           cabinet == nullptr ? "another" : boost::json::serialize(*cabinet), s.cabinet.id);
    }
    const auto keys = keys_known_to(database);
    if (keys.empty()) {
        return "it does not say which keys it knew";
    }
    if (has_one_of(s, keys)) {
        return "it knows the cabinet's key: codes that were used since would open doors again. Give the cabinet a new "
               "key in the portal, provision it without the previous one, and restore then";
    }
    if (const auto v = verify_file(database); !v.wrong.empty()) {
        return "its chain is broken: " + v.wrong;
    }
    return "";
}

// Each restore wants a key that no lockerd has run with: whatever was used by another is forgotten by the backup. Known
// are the keys of the databases that are in the state folder, and of earlier restores, by a file beside the keys, which
// outlives a card.
std::string restores_file(const std::string& config) {
    return (fs::absolute(config).parent_path() / "keys" / "restored").string();
}

bool was_used(const settings& s, const std::string& config) {
    std::vector<std::string> known;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(s.state_folder, error)) {
        const auto name = entry.path().filename().string();
        if (name == "locker.db" ||
            (name.starts_with("locker.db.replaced-") && !name.ends_with("-wal") && !name.ends_with("-shm"))) {
            const auto more = keys_known_to(entry.path().string());
            known.insert(known.end(), more.begin(), more.end());
        }
    }
    std::ifstream restored(restores_file(config));
    for (std::string id; restored >> id;) {
        known.push_back(id);
    }
    return has_one_of(s, known);
}

void remember_restore(const settings& s, const std::string& config) {
    const auto file = restores_file(config);
    fs::create_directories(fs::path(file).parent_path());
    std::ofstream out(file, std::ios::app);
    for (const auto& key : s.cabinet.cabinet_keys) {
        out << key_id(key) << "\n";
    }
    if (!out.flush()) {
        throw std::runtime_error(file + " cannot be written");
    }
}

int restore(const options& o, const std::string& config, const std::string& from, bool replace) {
    const auto s = settings_of(config);
    if (!s) {
        return exit_config;
    }
    if (!fs::is_directory(s->state_folder)) {
        throw std::runtime_error("[state] folder " + s->state_folder + " is not there: make it, or mount it");
    }
    const exclusive held(s->state_folder + "/lock", "state folder " + s->state_folder);
    give_to_owner_of(s->state_folder, s->state_folder + "/lock");
    const std::string database = database_of(*s);
    if (fs::exists(database) && !replace) {
        throw std::runtime_error(database + " is there: with --replace it is kept beside, under another name");
    }
    const std::string fresh = database + ".fresh";
    fs::remove(fresh);
    copy_database(fs::is_directory(from) ? from + "/locker.db" : from, fresh);
    const bool interrupted = fs::exists(interrupted_mark(database));  // then it is this one's key
    auto why = unfit(fresh, *s);
    if (why.empty() && !interrupted && was_used(*s, config)) {
        why =
            "the cabinet's key was in use already, and what it opened since the backup would open again. Give the "
            "cabinet a new key in the portal for each restore";
    }
    if (!why.empty()) {
        fs::remove(fresh);
        std::cerr << "lockerctl: " << from << ": " << why << "\nlockerctl: nothing was changed\n";
        return exit_refused;
    }
    give_to_owner_of(s->state_folder, fresh);
    remember_restore(*s, config);
    put_in_place(fresh, database, fmt::format("{}.replaced-{}", database, format_time(wall_ms())));
    const auto v = verify_file(database);
    if (o.json) {
        std::cout << serialize(object{{"ok", true}, {"sequence", v.last}, {"head", to_hex(v.head)}}) << "\n";
    } else {
        std::cout << fmt::format(
            "{} has the ledger up to row {} again. lockerd will call every compartment suspected and refuse grants "
            "issued before: staff settle door by door.\n",
            database, v.last);
    }
    return 0;
}

// ---- upgrade-check

struct check_list {
    array done;
    void good(std::string_view what, const std::string& how) {
        done.push_back(object{{"check", what}, {"found", how}});
    }
};

struct upgrade_wish {
    std::string config{default_config};
    bool after = false;
    int wait_s = 0;
};

// Where lockerd listens by this configuration, unless the command line says otherwise.
std::string socket_of(const options& o, const settings& s) {
    return o.socket == options{}.socket ? s.control_socket : o.socket;
}

bool holds_its_folder(const settings& s) {
    try {
        const exclusive free(s.state_folder + "/lock", "state folder " + s.state_folder);
        return false;
    } catch (const std::runtime_error&) {
        return true;
    }
}

// lockerd's own view; nothing: it does not run.
std::optional<object> running(const options& o, const settings& s) {
    try {
        return ask(socket_of(o, s), {{"do", "status"}}).at("result").as_object();
    } catch (const std::runtime_error& e) {
        if (holds_its_folder(s)) {
            throw not_now(std::string(e.what()) + "; and yet lockerd runs");
        }
        return std::nullopt;
    }
}

void check_database(const settings& s, check_list& list) {
    const std::string file = database_of(s);
    if (!fs::exists(file)) {
        list.good("database", "none yet");
        return;
    }
    const sqlite_store store(file, sqlite_store::mode::read_only);  // throws what a newer major version wants said
    const auto head = head_from_file(file);
    const auto rows = store.rows(head.sequence, head.sequence, 1);
    if (head.sequence != 0 && (rows.empty() || rows.front().hash != head.hash)) {
        throw not_now(file + ": the ledger does not end where it should: lockerctl log verify");
    }
    list.good("database", fmt::format("readable by {}, ledger up to row {}", LOCKER_VERSION, head.sequence));
}

void check_space(const settings& s, check_list& list) {
    struct statvfs space {};
    if (::statvfs(s.state_folder.c_str(), &space) != 0) {
        throw not_now("[state] folder " + s.state_folder + " cannot be looked at");
    }
    const auto free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    if (free < upgrade_space_bytes) {
        throw not_now(
            fmt::format("{}: {} MiB are free, {} are wanted", s.state_folder, free >> 20U, upgrade_space_bytes >> 20U));
    }
    list.good("free space", fmt::format("{} MiB", free >> 20U));
}

void check_before(const options& o, const settings& s, check_list& list) {
    check_database(s, list);
    check_space(s, list);
    if (!running(o, s)) {
        list.good("openings", "lockerd does not run");
        return;
    }
    const auto openings = sqlite_store(database_of(s), sqlite_store::mode::read_only).all("opening");
    const auto pending = std::count_if(openings.begin(), openings.end(), [](const auto& row) {
        return boost::json::parse(row.second).at("outcome") == boost::json::string("pending");
    });
    if (pending != 0) {
        throw not_now(fmt::format("{} opening{} in progress", pending, pending == 1 ? " is" : "s are"));
    }
    list.good("openings", "none in progress");
}

// A board that was lost before the upgrade is no reason to take it back; none that answers is.
void check_doors(const settings& s, const object& now, check_list& list) {
    const auto& alarms = now.at("alarms").as_array();
    const auto lost = [&](int board) {
        const auto& name = s.cabinet.boards.at(static_cast<std::size_t>(board));
        return std::find(alarms.begin(), alarms.end(), boost::json::string("board_lost/" + name)) != alarms.end();
    };
    int read = 0;
    int unread = 0;
    for (const auto& entry : now.at("compartments").as_array()) {
        const auto& c = entry.as_object();
        const auto wired = std::find_if(s.cabinet.compartments.begin(), s.cabinet.compartments.end(),
                                        [&](const auto& one) { return c.at("number") == one.number; });
        if (wired == s.cabinet.compartments.end() || wired->contact == core::contact_kind::none) {
            continue;
        }
        if (c.at("door") != boost::json::string("unknown")) {
            ++read;
        } else if (lost(wired->contact_board)) {
            ++unread;
        } else {
            throw not_now(fmt::format("door {} was not read yet", wired->number));
        }
    }
    if (read == 0 && unread != 0) {
        throw not_now("no board answers: lockerctl status");
    }
    list.good("doors", unread == 0 ? fmt::format("{} read", read)
                                   : fmt::format("{} read; {} are on boards that do not answer", read, unread));
}

// That this start stands in the ledger says that the store can be written and read.
void check_recorded(const settings& s, const std::string& epoch, check_list& list) {
    const sqlite_store store(database_of(s), sqlite_store::mode::read_only);
    const auto head = head_from_file(database_of(s)).sequence;
    constexpr std::uint64_t looked_at = 2000;
    const auto rows = store.rows(head > looked_at ? head - looked_at : 1, head, looked_at + 1);
    const bool found = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
        return row.type == "daemon.started" &&
               boost::json::parse(row.data).as_object().at("epoch") == boost::json::string(epoch);
    });
    if (!found) {
        throw not_now("this start of lockerd does not stand in the ledger: the store cannot be written");
    }
    if (const auto damage = damage_of(database_of(s)); !damage.empty()) {
        throw not_now(database_of(s) + " is damaged: " + damage);
    }
    list.good("store", fmt::format("sound, this start recorded, ledger up to row {}", head));
}

// Good enough to be kept: this program's version runs, has seen its doors, and can write.
void check_after(const options& o, const settings& s, check_list& list) {
    const auto now = running(o, s);
    if (!now) {
        throw not_now("no lockerd listens at " + socket_of(o, s));
    }
    const auto* version = now->if_contains("version");
    if (version == nullptr || *version != boost::json::string(LOCKER_VERSION)) {
        throw not_now(fmt::format("lockerd is not of this version, {}: start it again", LOCKER_VERSION));
    }
    list.good("lockerd", fmt::format("version {} runs", LOCKER_VERSION));
    check_doors(s, *now, list);
    check_recorded(s, text(*now, "epoch"), list);
}

int upgrade_check(const options& o, const upgrade_wish& wish) {
    const auto s = settings_of(wish.config);
    if (!s) {
        return exit_config;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(wish.wait_s);
    for (;;) {
        check_list list;
        std::string why;
        try {
            list.good("configuration", wish.config);
            wish.after ? check_after(o, *s, list) : check_before(o, *s, list);
        } catch (const not_now& e) {
            why = e.what();
        }
        if (!why.empty() && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            continue;
        }
        if (o.json) {
            std::cout << serialize(object{{"ok", why.empty()}, {"checks", list.done}, {"why", why}}) << "\n";
            return why.empty() ? 0 : exit_refused;
        }
        for (const auto& c : list.done) {
            std::cout << fmt::format("good  {}: {}\n", text(c.as_object(), "check"), text(c.as_object(), "found"));
        }
        if (!why.empty()) {
            std::cerr << "lockerctl: " << why << "\n";
        }
        return why.empty() ? 0 : exit_refused;
    }
}

}  // namespace

void add_care(CLI::App& app, const options& o, int& code) {
    static std::string config{default_config};
    static std::string folder;
    static bool replace = false;
    static upgrade_wish wish;
    auto* save = app.add_subcommand(
        "backup", "Copy ledger and configuration into a new folder, while lockerd runs; keys are not copied");
    save->add_option("folder", folder, "Must not exist")->required();
    save->callback([&] { code = backup(o, config, folder); });
    auto* back = app.add_subcommand("restore",
                                    "Put a backup's ledger in place, with lockerd stopped and a new cabinet key: every "
                                    "compartment is suspected then");
    back->add_option("folder", folder, "What `backup` wrote")->required();
    back->add_flag("--replace", replace, "A database that is there is kept beside, under another name");
    back->callback([&] { code = restore(o, config, folder, replace); });
    auto* check = app.add_subcommand(
        "upgrade-check",
        "Before an upgrade: configuration, database, free space, no opening in progress. Exit code 1: not now");
    check->add_flag("--after", wish.after,
                    "After it instead: lockerd runs with this version, doors were read, the store is sound");
    check->add_option("--wait", wish.wait_s, "Try again for so many seconds")->check(CLI::Range(0, 3600));
    check->callback([&] {
        wish.config = config;
        code = upgrade_check(o, wish);
    });
    for (auto* sub : {save, back, check}) {
        sub->add_option("--config", config, "lockerd's configuration")->capture_default_str();
    }
}

}  // namespace locker
