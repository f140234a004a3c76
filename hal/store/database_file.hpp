// A database as a file: copied, examined, put in place. For tools; lockerd itself keeps to sqlite_store.
#pragma once

#include <string>

namespace locker {

// A copy as of one moment, also of a database that a lockerd is writing to: it is read in one transaction, by a
// connection that neither writes nor checkpoints. `to` must not exist; it is on disk, one file, mode 0600, when this
// returns. Throws std::runtime_error with a sentence.
void copy_database(const std::string& from, const std::string& to);

// What SQLite finds wrong with the file (PRAGMA integrity_check), its first complaint; empty: nothing.
[[nodiscard]] std::string damage_of(const std::string& file);

// Makes `fresh` the database `file`; what was there, its write-ahead log with it, is kept under `kept`. No lockerd may
// run. Interrupted anywhere, it leaves `interrupted_mark(file)`: lockerd does not begin while that stands, and to call
// this again ends it.
void put_in_place(const std::string& fresh, const std::string& file, const std::string& kept);
[[nodiscard]] inline std::string interrupted_mark(const std::string& file) {
    return file + ".restoring";
}

}  // namespace locker
