// A database of each earlier version goes on as this one's; one of a later version of the same major is read and
// written.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "portal/server/domain/database.hpp"
#include "tests/component/temporary.hpp"

using namespace locker::portal;

namespace {

void load(const std::string& file, int version) {
    soci::session sql(soci::sqlite3, "dbname=" + file);
    std::ifstream in(fmt::format("{}/portal-{}.sql", LOCKER_FIXTURES, version));
    REQUIRE(in);
    std::string statement;
    for (std::string line; std::getline(in, line);) {
        statement += line + "\n";
        if (line.ends_with(';')) {
            sql << statement;
            statement.clear();
        }
    }
}

std::string text(database& db, const std::string& query) {
    std::string out;
    db.sql() << query, soci::into(out);
    return out;
}

}  // namespace

TEST_CASE("portal: databases of versions 1 to 3 are brought up to this one, nothing is lost") {
    for (int version = 1; version <= 3; ++version) {
        const temporary_folder folder;
        const auto file = folder.file("portal.db");
        load(file, version);
        database db(file);
        long long now = 0;
        db.sql() << "SELECT version FROM schema", soci::into(now);
        CHECK(now == schema_version());
        CHECK(text(db, "SELECT name FROM cabinets WHERE id = 'c-1'") == "一号柜");
        CHECK(text(db, "SELECT state FROM cases WHERE id = 'k-1'") == "ready");
        CHECK(text(db, "SELECT cabinets FROM staff WHERE number = '4711'") == "[\"*\"]");
        long long latest = 0;
        long long revoke = -1;
        db.sql() << "SELECT latest_issue, revoke_to FROM deposits WHERE id = 'd-1'", soci::into(latest),
            soci::into(revoke);
        CHECK(latest == 2);  // no issue is given out twice
        CHECK(revoke == 0);
    }
}

TEST_CASE("portal: after a rollback the program before reads and writes what a later one wrote") {
    const temporary_folder folder;
    const auto file = folder.file("portal.db");
    load(file, 3);
    {
        database db(file);
        db.sql() << "ALTER TABLE cases ADD COLUMN later TEXT NOT NULL DEFAULT 'kept'";
        db.sql() << "CREATE TABLE later (x TEXT)";
        db.sql() << "UPDATE schema SET version = 7";
    }
    database db(file);
    long long now = 0;
    db.sql() << "SELECT version FROM schema", soci::into(now);
    CHECK(now == 7);
    db.sql() << "UPDATE cases SET state = 'done' WHERE id = 'k-1'";
    CHECK(text(db, "SELECT later FROM cases WHERE id = 'k-1'") == "kept");
    db.sql() << "UPDATE schema SET version = 1000";
    CHECK_THROWS_WITH_AS(database again(file), doctest::Contains("newer major version"), std::runtime_error);
}
