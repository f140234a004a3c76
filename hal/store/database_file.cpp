#include "hal/store/database_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace locker {
namespace {

struct close_database {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using database = std::unique_ptr<sqlite3, close_database>;

[[noreturn]] void fail(const std::string& file, const std::string& why) {
    throw std::runtime_error(fmt::format("database {}: {}", file, why));
}

database open(const std::string& file, int flags) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    database db(raw);
    if (code != SQLITE_OK) {
        fail(file, raw == nullptr ? "out of memory" : sqlite3_errmsg(raw));
    }
    sqlite3_busy_timeout(raw, 5000);
    // Ours is never the connection that moves the write-ahead log into the file.
    sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return db;
}

void run(sqlite3* db, const std::string& file, const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        fail(file, sqlite3_errmsg(db));
    }
}

void sync(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && ::fsync(fd) == 0;
    const int why = errno;
    if (fd >= 0) {
        ::close(fd);
    }
    if (!ok) {
        fail(path, std::strerror(why));
    }
}

std::string folder_of(const std::string& file) {
    return std::filesystem::absolute(file).parent_path().string();
}

void rename(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
        fail(from, std::strerror(errno));
    }
}

}  // namespace

void copy_database(const std::string& from, const std::string& to) {
    const int made = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) {
        fail(to, std::strerror(errno));
    }
    ::close(made);
    {
        const auto source = open(from, SQLITE_OPEN_READONLY);
        const auto copy = open(to, SQLITE_OPEN_READWRITE);
        sqlite3_backup* b = sqlite3_backup_init(copy.get(), "main", source.get(), "main");
        if (b == nullptr) {
            fail(to, sqlite3_errmsg(copy.get()));
        }
        sqlite3_backup_step(b, -1);  // all of it: one moment of the source
        if (sqlite3_backup_finish(b) != SQLITE_OK) {
            fail(from + " to " + to, sqlite3_errmsg(copy.get()));
        }
        run(copy.get(), to, "PRAGMA journal_mode=DELETE");
    }
    sync(to);
    sync(folder_of(to));
}

std::string damage_of(const std::string& file) {
    const auto db = open(file, SQLITE_OPEN_READONLY);
    std::string first;
    const auto hear = [](void* out, int, char** columns, char**) {
        auto& text = *static_cast<std::string*>(out);
        if (text.empty() && columns[0] != nullptr && std::string_view(columns[0]) != "ok") {
            text = columns[0];
        }
        return 0;
    };
    if (sqlite3_exec(db.get(), "PRAGMA integrity_check(1)", hear, &first, nullptr) != SQLITE_OK && first.empty()) {
        first = sqlite3_errmsg(db.get());
    }
    return first;
}

void put_in_place(const std::string& fresh, const std::string& file, const std::string& kept) {
    namespace fs = std::filesystem;
    const std::string mark = interrupted_mark(file);
    const int fd = ::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        fail(mark, std::strerror(errno));
    }
    ::close(fd);
    sync(folder_of(file));
    for (const auto* part :
         {"", "-wal", "-shm", "-journal"}) {  // also where the file itself is gone: a log left behind
        if (fs::exists(file + part)) {        // would be played into the fresh one
            rename(file + part, kept + part);
        }
    }
    sync(folder_of(file));
    rename(fresh, file);
    sync(folder_of(file));
    if (::unlink(mark.c_str()) != 0) {
        fail(mark, std::strerror(errno));
    }
    sync(folder_of(file));
}

}  // namespace locker
