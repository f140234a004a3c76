#include "hal/store/sqlite_store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>

#include "hal/ports/canary.hpp"

namespace locker {
namespace {

constexpr int schema_version = 1;  // additive within a major version: an older release reads a newer file of it
constexpr int major_step = 1000;   // user_version at and beyond it is another major version

struct sql_error : std::runtime_error {
    sql_error(int c, const std::string& what) : std::runtime_error(what), code(c) {}
    int code;
};

sqlite3_stmt* prepared(sqlite3* db, std::string_view sql) {
    sqlite3_stmt* s = nullptr;
    const int code =
        sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr);
    if (code != SQLITE_OK) {
        throw sql_error(code, sqlite3_errmsg(db));
    }
    return s;
}

// The use of a prepared statement. Not two at once of the same one.
class statement {
public:
    explicit statement(sqlite3_stmt* s) : s_(s) {}
    ~statement() {
        sqlite3_reset(s_);
        sqlite3_clear_bindings(s_);  // they point into the caller's values
    }
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;

    statement& bind(int at, std::string_view text) {
        check(sqlite3_bind_text64(s_, at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
        return *this;
    }
    statement& bind(int at, std::int64_t number) {
        check(sqlite3_bind_int64(s_, at, number));
        return *this;
    }
    statement& bind(int at, const digest256& digest) {
        check(sqlite3_bind_blob64(s_, at, digest.data(), digest.size(), SQLITE_STATIC));
        return *this;
    }
    bool step() {
        const int code = sqlite3_step(s_);
        if (code == SQLITE_ROW) {
            return true;
        }
        if (code != SQLITE_DONE) {
            check(code);
        }
        return false;
    }
    void again() { sqlite3_reset(s_); }
    [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(s_, column); }
    [[nodiscard]] std::string text(int column) const {
        const auto* data = static_cast<const char*>(sqlite3_column_blob(s_, column));
        return data == nullptr ? "" : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(s_, column)));
    }
    [[nodiscard]] digest256 digest(int column) const {
        digest256 out{};
        const auto bytes = text(column);
        if (bytes.size() == out.size()) {
            std::copy(bytes.begin(), bytes.end(), out.begin());
        }
        return out;
    }

private:
    void check(int code) const {
        if (code != SQLITE_OK) {
            throw sql_error(code, sqlite3_errmsg(sqlite3_db_handle(s_)));
        }
    }
    sqlite3_stmt* s_;
};

// What reads throw.
[[noreturn]] void unreadable(const sql_error& e, const std::string& where) {
    const int code = e.code & 0xFF;
    if (code == SQLITE_MISMATCH) {
        throw damaged_archive(where + e.what());
    }
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        throw damaged_archive(where + e.what() + "; put back a backup: lockerctl restore");
    }
    throw archive_error(where + e.what());
}

template <typename F>
auto reading_rows(F&& f) {
    try {
        return f();
    } catch (const sql_error& e) {
        unreadable(e, "");
    }
}

}  // namespace

void sqlite_store::close::operator()(sqlite3* db) const {
    sqlite3_close_v2(db);
}

void sqlite_store::finalize::operator()(sqlite3_stmt* s) const {
    sqlite3_finalize(s);
}

// Each text is prepared once: compiling costs more than running.
sqlite3_stmt* sqlite_store::use(const char* sql) const {
    auto& s = prepared_[sql];
    if (s == nullptr) {
        s.reset(prepared(db_.get(), sql));
    }
    return s.get();
}

sqlite_store::sqlite_store(const std::string& file, mode how) {
    sqlite3* db = nullptr;
    const int flags = how == mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code = sqlite3_open_v2(file.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    db_.reset(db);
    try {
        if (code != SQLITE_OK) {
            throw sql_error(code, db == nullptr ? "out of memory" : sqlite3_errmsg(db));
        }
        run("PRAGMA mmap_size=0");
        run("PRAGMA cache_size=-256");  // KiB: a commit touches some ten pages, the kernel keeps the rest
        if (how == mode::read_write) {
            if (sqlite3_db_readonly(db, "main") == 1) {  // SQLite opens it all the same, and could never write again
                throw sql_error(SQLITE_READONLY, "it cannot be written: a read-only disk, or somebody else's file");
            }
            run("PRAGMA page_size=1024");  // of a new file: a row changed is a page written (scripts/bench wear)
            run("PRAGMA journal_mode=WAL");
            run("PRAGMA wal_autocheckpoint=4000");  // 4 MB: a page that changes often is written back once for many
                                                    // commits
            run(sick(canary::sync_normal) ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL");
            migrate();
        }
        if (version() >= major_step) {
            throw sql_error(SQLITE_MISMATCH, "it was written by a newer major version; start that one");
        }
    } catch (const sql_error& e) {
        unreadable(e, fmt::format("database {}: ", file));
    }
}

sqlite_store::~sqlite_store() = default;

// Once: a PRAGMA takes effect while it is compiled, and a schema is made once.
void sqlite_store::run(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        throw sql_error(code, sqlite3_errmsg(db_.get()));
    }
}

int sqlite_store::version() const {
    statement s(use("PRAGMA user_version"));
    s.step();
    return static_cast<int>(s.number(0));
}

void sqlite_store::migrate() {
    if (version() >= schema_version) {
        return;
    }
    run("BEGIN IMMEDIATE");
    run("CREATE TABLE IF NOT EXISTS ledger (sequence INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, mono_ms INTEGER "
        "NOT "
        "NULL, boot TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL, previous BLOB NOT "
        "NULL, "
        "hash BLOB NOT NULL)");
    run("CREATE TABLE IF NOT EXISTS state (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, until INTEGER "
        "NOT "
        "NULL DEFAULT 0, PRIMARY KEY (kind, key))");
    run("CREATE INDEX IF NOT EXISTS state_until ON state (kind, until) WHERE until > 0");
    run(fmt::format("PRAGMA user_version={}", schema_version).c_str());
    run("COMMIT");
}

void sqlite_store::write(const transaction& tx) {
    statement row(
        use("INSERT INTO ledger (sequence, wall_ms, mono_ms, boot, type, subject, data, previous, hash) "
            "VALUES (?,?,?,?,?,?,?,?,?)"));
    for (const auto& r : tx.rows) {
        row.bind(1, static_cast<std::int64_t>(r.sequence)).bind(2, r.wall_ms).bind(3, r.mono_ms).bind(4, r.boot);
        row.bind(5, r.type).bind(6, r.subject).bind(7, r.data).bind(8, r.previous).bind(9, r.hash);
        row.step();
        row.again();
    }
    statement put(use(
        "INSERT INTO state (kind, key, value, until) VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET value=excluded.value, "
        "until=excluded.until"));
    statement drop(use("DELETE FROM state WHERE kind=? AND key=?"));
    for (const auto& w : tx.writes) {
        statement& s = w.value ? put : drop;
        s.bind(1, w.kind).bind(2, w.key);
        if (w.value) {
            s.bind(3, *w.value).bind(4, w.until);
        }
        s.step();
        s.again();
    }
    for (const auto& p : tx.prunes) {
        statement old(use("DELETE FROM state WHERE kind=? AND until > 0 AND until < ?"));
        old.bind(1, p.kind).bind(2, p.before).step();
        if (p.keep != UINT64_MAX) {
            statement many(
                use("DELETE FROM state WHERE kind=?1 AND until > 0 AND until < (SELECT until FROM state "
                    "WHERE kind=?1 AND until > 0 ORDER BY until DESC LIMIT 1 OFFSET ?2)"));
            many.bind(1, p.kind).bind(2, static_cast<std::int64_t>(p.keep) - 1).step();
        }
    }
    if (tx.forget_through != 0) {
        statement gone(use("DELETE FROM ledger WHERE sequence <= ?"));
        gone.bind(1, static_cast<std::int64_t>(tx.forget_through)).step();
    }
}

commit_error sqlite_store::commit(const transaction& tx) {
    try {
        // In WAL mode a commit under NORMAL is written without a sync; the next one under FULL syncs both.
        if (tx.hint) {
            run("PRAGMA synchronous=NORMAL");
        }
        statement(use("BEGIN IMMEDIATE")).step();
        write(tx);
        statement(use("COMMIT")).step();
        if (tx.hint && !sick(canary::sync_normal)) {
            run("PRAGMA synchronous=FULL");
        }
        return commit_error::none;
    } catch (const sql_error& e) {
        error_ = e.what();
        const int code = e.code & 0xFF;
        if (sqlite3_get_autocommit(db_.get()) == 0) {
            sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
        sqlite3_exec(db_.get(), "PRAGMA synchronous=FULL", nullptr, nullptr, nullptr);
        if (sick(canary::failed_commit_ignored)) {
            return commit_error::none;
        }
        return code == SQLITE_FULL ? commit_error::full : commit_error::failed;
    }
}

std::optional<std::string> sqlite_store::find(std::string_view kind, std::string_view key) const {
    return reading_rows([&]() -> std::optional<std::string> {
        statement s(use("SELECT value FROM state WHERE kind=? AND key=?"));
        if (!s.bind(1, kind).bind(2, key).step()) {
            return std::nullopt;
        }
        return s.text(0);
    });
}

std::vector<std::pair<std::string, std::string>> sqlite_store::all(std::string_view kind) const {
    return reading_rows([&] {
        std::vector<std::pair<std::string, std::string>> out;
        statement s(use("SELECT key, value FROM state WHERE kind=? ORDER BY key"));
        s.bind(1, kind);
        while (s.step()) {
            out.emplace_back(s.text(0), s.text(1));
        }
        return out;
    });
}

std::vector<ledger_row> sqlite_store::rows(std::uint64_t from, std::uint64_t to, std::uint64_t limit) const {
    return reading_rows([&] {
        std::vector<ledger_row> out;
        const auto bounded = [](std::uint64_t n) {
            return static_cast<std::int64_t>(std::min<std::uint64_t>(n, INT64_MAX));
        };
        statement s(
            use("SELECT sequence, wall_ms, mono_ms, boot, type, subject, data, previous, hash FROM ledger "
                "WHERE sequence BETWEEN ? AND ? ORDER BY sequence LIMIT ?"));
        s.bind(1, bounded(from)).bind(2, bounded(to)).bind(3, bounded(limit));
        while (s.step()) {
            out.push_back({static_cast<std::uint64_t>(s.number(0)), s.number(1), s.number(2), s.text(3), s.text(4),
                           s.text(5), s.text(6), s.digest(7), s.digest(8)});
        }
        return out;
    });
}

std::uint64_t sqlite_store::earliest() const {
    return reading_rows([&] {
        statement s(use("SELECT coalesce(min(sequence), 0) FROM ledger"));
        s.step();
        return static_cast<std::uint64_t>(s.number(0));
    });
}

}  // namespace locker
