// The portal's memory: SQL through SOCI, on SQLite today; every statement is one that PostgreSQL takes, too.
#pragma once

#include <soci/soci.h>

#include <cstdint>
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

// All of it or nothing: rolled back unless it is committed.
using transaction = soci::transaction;

}  // namespace locker::portal
