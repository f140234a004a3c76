// The portal's memory: SQL through SOCI, on SQLite today; every statement is one that PostgreSQL takes, too.
#pragma once

#include <soci/soci.h>

#include <cstdint>
#include <exception>
#include <string>

namespace locker::portal {

// The newest schema that this program knows.
[[nodiscard]] std::int64_t schema_version();

class database {
public:
    // A file, or ":memory:". Brings its schema to the newest version; throws std::runtime_error when that is newer than
    // this program, and soci::soci_error when it cannot be used.
    explicit database(const std::string& file);

    [[nodiscard]] soci::session& sql() { return sql_; }

private:
    soci::session sql_;
};

// A connection beside the database's own, for a long question on another thread: it reads, and holds nobody up.
[[nodiscard]] soci::session reader_of(const std::string& file);

// For logs and people: what() of the storage's errors has the values that were bound, phone numbers' seals among them.
[[nodiscard]] std::string why(const std::exception& e);

// All of it or nothing: rolled back unless it is committed. Another program beside us, the command line say, waits for
// its turn from the beginning: who has read and then finds that it may not write would have to begin anew.
class transaction {
public:
    explicit transaction(soci::session& sql);
    ~transaction();
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    void commit();

private:
    soci::session& sql_;
    bool open_ = true;
};

}  // namespace locker::portal
