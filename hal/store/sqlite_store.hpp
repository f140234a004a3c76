// The ledger and the working set in one SQLite file: WAL, synchronous=FULL, one connection, no mmap. A commit is on
// disk when it returns. Blocking; used by one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "hal/ports/store.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace locker {

class sqlite_store : public store {
public:
    enum class mode : std::uint8_t { read_write, read_only };

    // Throws archive_error with a sentence when the file cannot be opened; damaged_archive when it is damaged, or was
    // written by a newer major version. `read_only` is for tools while no lockerd runs.
    explicit sqlite_store(const std::string& file, mode how = mode::read_write);
    ~sqlite_store() override;
    sqlite_store(const sqlite_store&) = delete;
    sqlite_store& operator=(const sqlite_store&) = delete;

    [[nodiscard]] commit_error commit(const transaction& tx) override;
    [[nodiscard]] std::optional<std::string> find(std::string_view kind, std::string_view key) const override;
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> all(std::string_view kind) const override;
    [[nodiscard]] std::vector<ledger_row> rows(std::uint64_t from, std::uint64_t to,
                                               std::uint64_t limit) const override;
    [[nodiscard]] std::uint64_t earliest() const override;

    [[nodiscard]] std::string last_error() const override { return error_; }

private:
    void run(const char* sql);
    [[nodiscard]] sqlite3_stmt* use(const char* sql) const;
    [[nodiscard]] int version() const;
    void migrate();
    void write(const transaction& tx);

    struct close {
        void operator()(sqlite3* db) const;
    };
    struct finalize {
        void operator()(sqlite3_stmt* s) const;
    };
    std::unique_ptr<sqlite3, close> db_;
    mutable std::map<std::string_view, std::unique_ptr<sqlite3_stmt, finalize>> prepared_;  // by their text, a literal
    std::string error_;
};

}  // namespace locker
