// The ledger's file: real SQLite on a real disk, processes killed, limits hit.
#include "hal/store/database_file.hpp"
#include "hal/store/sqlite_store.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/component/temporary.hpp"

using namespace locker;

namespace {

ledger_row row(std::uint64_t sequence, const digest256& previous) {
    ledger_row r{sequence, 1000, 10, "boot", "daemon.started", "", "{}", previous, {}};
    r.hash = ledger_hash(r);
    return r;
}

transaction one_row(std::uint64_t sequence) {
    transaction tx;
    tx.rows.push_back(row(sequence, {}));
    return tx;
}

state_write put(std::string kind, std::string key, std::string value, std::int64_t until = 0) {
    return {std::move(kind), std::move(key), std::move(value), until};
}

// Runs `work` in a process of its own; its exit status.
template <typename F>
int in_child(F work) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(work());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

void sql(const std::string& file, const char* text) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

}  // namespace

TEST_CASE("store: a file of the earlier form, clustered and with larger pages, goes on as it is") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    sql(file,
        "PRAGMA page_size=4096; PRAGMA journal_mode=WAL;"
        "CREATE TABLE ledger (sequence INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL, boot "
        "TEXT "
        "NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL, previous BLOB NOT NULL, hash BLOB "
        "NOT "
        "NULL);"
        "CREATE TABLE state (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, until INTEGER NOT NULL "
        "DEFAULT 0, "
        "PRIMARY KEY (kind, key)) WITHOUT ROWID;"
        "CREATE INDEX state_until ON state (kind, until) WHERE until > 0;"
        "INSERT INTO state VALUES ('deposit', 'b', 'old', 0); PRAGMA user_version=1;");
    {
        sqlite_store s(file);
        CHECK(s.find("deposit", "b") == "old");
        auto tx = one_row(1);
        tx.writes = {put("deposit", "a", "new"), put("deposit", "b", "newer")};
        REQUIRE(s.commit(tx) == commit_error::none);
    }
    const sqlite_store s(file);
    const auto all = s.all("deposit");
    REQUIRE(all.size() == 2);
    CHECK(all[0].second == "new");
    CHECK(all[1].second == "newer");
}

TEST_CASE("store: what was committed is read back by the next process") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    {
        sqlite_store s(file);
        CHECK(s.earliest() == 0);
        CHECK(s.all("deposit").empty());
        auto tx = one_row(1);
        tx.writes = {put("deposit", "b", "2"), put("deposit", "a", "1"),
                     put("meta", "cabinet", std::string("x\0y", 3))};
        CHECK(s.commit(tx) == commit_error::none);
        transaction change;
        change.writes = {put("deposit", "a", "3"), {"deposit", "b", std::nullopt, 0}};
        CHECK(s.commit(change) == commit_error::none);
    }
    sqlite_store s(file);
    CHECK(s.earliest() == 1);
    CHECK(s.all("deposit") == std::vector<std::pair<std::string, std::string>>{{"a", "3"}});
    CHECK(s.find("meta", "cabinet") == std::string("x\0y", 3));
    CHECK(!s.find("meta", "nothing"));
    CHECK(s.rows(1, 1, 10) == std::vector<ledger_row>{row(1, {})});
}

TEST_CASE("store: a range of rows is inclusive, in order, limited") {
    const temporary_folder folder;
    sqlite_store s(folder.file("locker.db"));
    for (std::uint64_t n = 1; n <= 20; ++n) {
        REQUIRE(s.commit(one_row(n)) == commit_error::none);
    }
    CHECK(s.rows(5, 7, 100).size() == 3);
    CHECK(s.rows(5, 7, 2).back().sequence == 6);
    CHECK(s.rows(18, UINT64_MAX, 100).size() == 3);
    CHECK(s.rows(21, 30, 100).empty());
}

TEST_CASE("store: a transaction is whole or not at all") {
    const temporary_folder folder;
    sqlite_store s(folder.file("locker.db"));
    REQUIRE(s.commit(one_row(1)) == commit_error::none);
    auto tx = one_row(2);
    tx.rows.push_back(row(1, {}));  // the sequence is taken
    tx.writes = {put("deposit", "a", "1")};
    CHECK(s.commit(tx) == commit_error::failed);
    CHECK(!s.last_error().empty());
    CHECK(s.rows(1, 9, 9).size() == 1);
    CHECK(!s.find("deposit", "a"));
    CHECK(s.commit(one_row(2)) == commit_error::none);  // and it goes on
}

TEST_CASE("store: commits and hints survive the process being killed") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    const int status = in_child([&]() -> int {
        sqlite_store s(file);
        transaction hint;
        hint.hint = true;
        hint.writes = {put("opening", "1", "passed")};
        const bool good = s.commit(one_row(1)) == commit_error::none && s.commit(hint) == commit_error::none;
        return good ? kill(getpid(), SIGKILL) : 1;
    });
    REQUIRE(WIFSIGNALED(status));
    sqlite_store s(file);
    CHECK(s.earliest() == 1);
    CHECK(s.find("opening", "1") == "passed");
}

TEST_CASE("store: a medium that takes no more is told, nothing half is left, and it goes on when there is space") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    const int status = in_child([&]() -> int {
        signal(SIGXFSZ, SIG_IGN);
        sqlite_store s(file);
        if (s.commit(one_row(1)) != commit_error::none) {
            return 1;
        }
        const rlimit small{100'000, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &small);
        transaction big;
        big.rows = {row(2, {})};
        for (int i = 0; i < 100; ++i) {
            big.writes.push_back(put("deposit", std::to_string(i), std::string(4000, 'x')));
        }
        if (s.commit(big) == commit_error::none || !s.rows(2, 2, 1).empty() || s.find("deposit", "0")) {
            return 2;
        }
        const rlimit free{RLIM_INFINITY, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &free);
        return s.commit(big) == commit_error::none && s.find("deposit", "99") ? 0 : 3;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("store: pruning by age and by number touches only rows that have an end") {
    const temporary_folder folder;
    sqlite_store s(folder.file("locker.db"));
    transaction tx;
    tx.writes = {put("command", "kept", "v")};
    for (int i = 1; i <= 10; ++i) {
        tx.writes.push_back(put("command", std::to_string(i), "v", i * 10));
    }
    REQUIRE(s.commit(tx) == commit_error::none);
    transaction by_age;
    by_age.prunes = {{"command", 30, UINT64_MAX}};
    REQUIRE(s.commit(by_age) == commit_error::none);
    CHECK(s.all("command").size() == 9);  // 10 and 20 went
    transaction by_number;
    by_number.prunes = {{"command", 0, 3}};
    REQUIRE(s.commit(by_number) == commit_error::none);
    CHECK(s.all("command").size() == 4);
    CHECK(s.find("command", "kept"));
    CHECK(s.find("command", "10"));
    CHECK(!s.find("command", "7"));
}

TEST_CASE("store: a damaged file and one of a newer major version are refused with a sentence") {
    const temporary_folder folder;
    const auto damaged = folder.file("damaged.db");
    std::ofstream(damaged) << std::string(8192, 'x');
    CHECK_THROWS_WITH_AS(sqlite_store s(damaged), doctest::Contains("damaged.db"), damaged_archive);
    const auto newer = folder.file("newer.db");
    sql(newer, "PRAGMA user_version=1000");
    CHECK_THROWS_WITH_AS(sqlite_store s(newer), doctest::Contains("newer major version"), damaged_archive);
    CHECK_THROWS_AS(sqlite_store s(folder.file("no/such/folder.db")), std::runtime_error);
    CHECK_THROWS_AS(sqlite_store s(folder.file("missing.db"), sqlite_store::mode::read_only), std::runtime_error);
}

TEST_CASE("store: a file of a later minor version is read and written") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    {
        sqlite_store s(file);
        REQUIRE(s.commit(one_row(1)) == commit_error::none);
    }
    sql(file,
        "CREATE TABLE later (x); ALTER TABLE ledger ADD COLUMN witness TEXT NOT NULL DEFAULT ''; ALTER TABLE state ADD "
        "COLUMN moved INTEGER; INSERT INTO state (kind, key, value, moved) VALUES ('later', 'k', 'v', 1); PRAGMA "
        "user_version=7");
    {
        sqlite_store s(file);
        CHECK(s.rows(1, 1, 1).size() == 1);
        auto tx = one_row(2);
        tx.writes = {put("deposit", "a", "1")};
        CHECK(s.commit(tx) == commit_error::none);
    }
    const sqlite_store s(file, sqlite_store::mode::read_only);
    CHECK(s.find("later", "k") == "v");  // what it does not know it leaves alone
    CHECK(s.rows(1, 9, 9).size() == 2);
}

TEST_CASE("store: rows that leave are gone with the row that says so, and the space is used again") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    sqlite_store s(file);
    for (std::uint64_t n = 1; n <= 10; ++n) {
        REQUIRE(s.commit(one_row(n)) == commit_error::none);
    }
    auto tx = one_row(11);
    tx.forget_through = 4;
    REQUIRE(s.commit(tx) == commit_error::none);
    CHECK(s.earliest() == 5);
    CHECK(s.rows(1, UINT64_MAX, 100).size() == 7);
}

TEST_CASE("database file: a copy of one moment while another process writes, on disk and whole") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    {
        sqlite_store s(file);
        REQUIRE(s.commit(one_row(1)) == commit_error::none);
    }
    int begun[2];
    REQUIRE(pipe(begun) == 0);
    const pid_t writer = fork();
    if (writer == 0) {
        sqlite_store s(file);
        for (std::uint64_t n = 2;; ++n) {
            auto tx = one_row(n);
            tx.writes = {put("meta", "cabinet", std::to_string(n))};
            if (s.commit(tx) != commit_error::none) {
                _exit(1);
            }
            if (n == 50) {
                (void)!write(begun[1], "x", 1);
            }
        }
    }
    char byte = 0;
    REQUIRE(read(begun[0], &byte, 1) == 1);
    for (int i = 0; i < 20; ++i) {
        const auto copy = folder.file("copy" + std::to_string(i));
        copy_database(file, copy);
        CHECK(damage_of(copy).empty());
        const sqlite_store s(copy, sqlite_store::mode::read_only);
        const auto rows = s.rows(1, UINT64_MAX, UINT64_MAX);
        CHECK(s.find("meta", "cabinet") == std::to_string(rows.back().sequence));  // both of one moment
        CHECK(rows.size() == rows.back().sequence);
    }
    CHECK(waitpid(writer, nullptr, WNOHANG) == 0);  // it was never in the writer's way
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    CHECK_THROWS_AS(copy_database(file, folder.file("copy0")), std::runtime_error);  // nothing is overwritten
    CHECK_THROWS_AS(copy_database(folder.file("none"), folder.file("new")), std::runtime_error);
    close(begun[0]);
    close(begun[1]);
}

TEST_CASE("database file: put in place, or marked as interrupted; what was there is kept with its write-ahead log") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    const auto fresh = folder.file("fresh.db");
    const auto kept = folder.file("kept.db");
    CHECK(in_child([&] {
              sqlite_store s(file);
              for (std::uint64_t n = 1; n <= 3; ++n) {
                  if (s.commit(one_row(n)) != commit_error::none) {
                      return 1;
                  }
              }
              return 0;  // ends without closing: the log stays
          }) == 0);
    {
        sqlite_store s(fresh);
        REQUIRE(s.commit(one_row(1)) == commit_error::none);
    }
    put_in_place(fresh, file, kept);
    CHECK(!std::filesystem::exists(interrupted_mark(file)));
    CHECK(sqlite_store(file).rows(1, 9, 9).size() == 1);
    CHECK(sqlite_store(kept).rows(1, 9, 9).size() == 3);
    // What cannot be ended is marked, and ended by the next try.
    CHECK_THROWS_AS(put_in_place(folder.file("nothing"), file, folder.file("kept2.db")), std::runtime_error);
    CHECK(std::filesystem::exists(interrupted_mark(file)));
    {
        sqlite_store s(fresh);
        REQUIRE(s.commit(one_row(1)) == commit_error::none);
    }
    std::ofstream(file + "-wal") << "of another database, left behind";
    put_in_place(fresh, file, folder.file("kept3.db"));
    CHECK(!std::filesystem::exists(interrupted_mark(file)));
    CHECK(sqlite_store(file).rows(1, 9, 9).size() == 1);
}

TEST_CASE("database file: damage is found") {
    const temporary_folder folder;
    const auto file = folder.file("locker.db");
    {
        sqlite_store s(file);
        for (std::uint64_t n = 1; n <= 200; ++n) {
            REQUIRE(s.commit(one_row(n)) == commit_error::none);
        }
    }
    CHECK(damage_of(file).empty());
    {
        std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
        out.seekp(5 * 1024);
        out << std::string(512, '\xff');
    }
    CHECK(!damage_of(file).empty());
}
