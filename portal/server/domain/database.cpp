#include "portal/server/domain/database.hpp"

#include <soci/sqlite3/soci-sqlite3.h>

#include <stdexcept>
#include <string_view>
#include <vector>

namespace locker::portal {
namespace {

constexpr long long major_step = 1000;  // a version at and beyond it is another major version

// One entry a version; within a major version they only add, so that the program before reads what this one writes.
// NOLINTBEGIN(bugprone-suspicious-missing-comma): long statements, in pieces
const std::vector<std::vector<std::string_view>>& migrations() {
    static const std::vector<std::vector<std::string_view>> all{
        {"CREATE TABLE cabinets (id TEXT PRIMARY KEY, name TEXT NOT NULL, place TEXT NOT NULL, help TEXT NOT NULL, "
         "sealed_key TEXT NOT NULL, sequence BIGINT NOT NULL, roster BIGINT NOT NULL, roster_digest TEXT NOT NULL, "
         "created_at BIGINT NOT NULL)",
         "CREATE TABLE catalogue (version BIGINT PRIMARY KEY, content TEXT NOT NULL, who TEXT NOT NULL, created_at "
         "BIGINT NOT NULL)",
         "CREATE TABLE people (id TEXT PRIMARY KEY, phone_index TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, created_at "
         "BIGINT NOT NULL, seen_at BIGINT NOT NULL)",
         "CREATE TABLE one_time_codes (phone_index TEXT PRIMARY KEY, code TEXT NOT NULL, tries INTEGER NOT NULL, "
         "sent INTEGER NOT NULL, first_at BIGINT NOT NULL, sent_at BIGINT NOT NULL)",
         "CREATE TABLE sessions (token TEXT PRIMARY KEY, role TEXT NOT NULL, subject TEXT NOT NULL, csrf TEXT NOT "
         "NULL, created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL)",
         "CREATE TABLE staff (number TEXT PRIMARY KEY, name TEXT NOT NULL, password TEXT NOT NULL, totp TEXT NOT NULL, "
         "totp_step BIGINT NOT NULL, role TEXT NOT NULL, cabinets TEXT NOT NULL, active INTEGER NOT NULL, created_at "
         "BIGINT NOT NULL)",
         "CREATE TABLE cases (id TEXT PRIMARY KEY, cabinet TEXT NOT NULL, person TEXT NOT NULL, delegate TEXT NOT "
         "NULL, service TEXT NOT NULL, catalogue BIGINT NOT NULL, title TEXT NOT NULL, papers TEXT NOT NULL, state "
         "TEXT "
         "NOT NULL, deposit TEXT NOT NULL, note TEXT NOT NULL, overdue INTEGER NOT NULL, created_at BIGINT NOT NULL, "
         "changed_at BIGINT NOT NULL)",
         "CREATE INDEX cases_of_person ON cases (person)", "CREATE INDEX cases_of_delegate ON cases (delegate)",
         "CREATE INDEX cases_of_cabinet ON cases (cabinet, state)",
         "CREATE TABLE deposits (id TEXT PRIMARY KEY, cabinet TEXT NOT NULL, case_id TEXT NOT NULL, kind TEXT NOT "
         "NULL, state TEXT NOT NULL, compartment INTEGER NOT NULL, size TEXT NOT NULL, accessible INTEGER NOT NULL, "
         "confirm_wanted INTEGER NOT NULL, first_issue BIGINT NOT NULL, latest_issue BIGINT NOT NULL, renew INTEGER "
         "NOT NULL, changed_at BIGINT NOT NULL)",
         "CREATE INDEX deposits_of_case ON deposits (case_id)",
         "CREATE INDEX deposits_of_cabinet ON deposits (cabinet, state)",
         "CREATE TABLE case_log (case_id TEXT NOT NULL, n BIGINT NOT NULL, at BIGINT NOT NULL, what TEXT NOT NULL, who "
         "TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (case_id, n))",
         "CREATE TABLE notices (id BIGINT PRIMARY KEY, cause TEXT NOT NULL, recipient TEXT NOT NULL, channel TEXT NOT "
         "NULL, template TEXT NOT NULL, content TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, due_at "
         "BIGINT NOT NULL, created_at BIGINT NOT NULL, settled_at BIGINT NOT NULL, UNIQUE (cause, recipient, channel))",
         "CREATE INDEX notices_to_send ON notices (state, channel, id)",
         "CREATE INDEX notices_of_recipient ON notices (recipient, id)",
         "CREATE TABLE audit (n BIGINT PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, whom "
         "TEXT NOT NULL)"},
        {"CREATE TABLE notice_words (name TEXT PRIMARY KEY, title TEXT NOT NULL, zh TEXT NOT NULL, en TEXT NOT NULL)"},
        {"ALTER TABLE deposits ADD COLUMN grant_until BIGINT NOT NULL DEFAULT 0",
         "ALTER TABLE deposits ADD COLUMN revoke_to BIGINT NOT NULL DEFAULT 0",
         "ALTER TABLE deposits ADD COLUMN taken_back_by TEXT NOT NULL DEFAULT ''",
         "UPDATE staff SET cabinets = '[\"*\"]' WHERE cabinets = '[]'",
         "ALTER TABLE cabinets ADD COLUMN ledger BIGINT NOT NULL DEFAULT 0",
         "ALTER TABLE cabinets ADD COLUMN head TEXT NOT NULL DEFAULT ''",
         "CREATE TABLE settings (name TEXT PRIMARY KEY, value BIGINT NOT NULL)"},
        {"CREATE TABLE statistics (span INTEGER NOT NULL, hour BIGINT NOT NULL, cabinet TEXT NOT NULL, service TEXT "
         "NOT NULL, measure TEXT NOT NULL, bucket INTEGER NOT NULL, n BIGINT NOT NULL, total_s BIGINT NOT NULL, "
         "PRIMARY KEY (span, hour, cabinet, service, measure, bucket))",
         "CREATE TABLE stays (cabinet TEXT NOT NULL, deposit TEXT NOT NULL, case_id TEXT NOT NULL, kind TEXT NOT NULL, "
         "lay_from BIGINT NOT NULL, lay_until BIGINT NOT NULL, PRIMARY KEY (cabinet, deposit))",
         "CREATE INDEX stays_of_case ON stays (case_id)",
         "ALTER TABLE cabinets ADD COLUMN removed_at BIGINT NOT NULL DEFAULT 0",
         "ALTER TABLE cabinets ADD COLUMN heard_until BIGINT NOT NULL DEFAULT 0",
         "ALTER TABLE cabinets ADD COLUMN counted_until BIGINT NOT NULL DEFAULT 0",
         "CREATE TABLE remote_openings (id TEXT PRIMARY KEY, cabinet TEXT NOT NULL, door INTEGER NOT NULL, reason TEXT "
         "NOT NULL, asked_by TEXT NOT NULL, approved_by TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL, "
         "created_at BIGINT NOT NULL, settled_at BIGINT NOT NULL)",
         "CREATE INDEX remote_openings_by_time ON remote_openings (created_at)"},
    };
    return all;
}
// NOLINTEND(bugprone-suspicious-missing-comma)

}  // namespace

std::string why(const std::exception& e) {
    const auto* of_storage = dynamic_cast<const soci::soci_error*>(&e);
    return of_storage == nullptr ? e.what() : of_storage->get_error_message();
}

transaction::transaction(soci::session& sql) : sql_(sql) {
    sql_ << (sql.get_backend_name() == "sqlite3" ? "BEGIN IMMEDIATE" : "BEGIN");
}

transaction::~transaction() {
    if (open_) {
        try {
            sql_ << "ROLLBACK";
        } catch (const std::exception&) {  // it ended by itself: the disk is full, say
            open_ = false;
        }
    }
}

void transaction::commit() {
    sql_ << "COMMIT";
    open_ = false;
}

std::int64_t schema_version() {
    return static_cast<std::int64_t>(migrations().size());
}

soci::session reader_of(const std::string& file) {
    return {soci::sqlite3, "dbname=" + file + " timeout=5 readonly=true"};
}

database::database(const std::string& file) : sql_(soci::sqlite3, "dbname=" + file + " timeout=5") {
    sql_ << "PRAGMA journal_mode = WAL";
    sql_ << "PRAGMA synchronous = FULL";  // what a person was told is on disk
    sql_ << "CREATE TABLE IF NOT EXISTS schema (version BIGINT NOT NULL)";
    long long have = 0;
    sql_ << "SELECT COALESCE(MAX(version), 0) FROM schema", soci::into(have);
    if (have >= major_step) {
        throw std::runtime_error(file + " was written by a newer major version of locker-portal; install that one");
    }
    for (auto version = static_cast<std::size_t>(have); version < migrations().size(); ++version) {
        transaction t(sql_);
        for (const auto& statement : migrations()[version]) {
            sql_ << std::string(statement);
        }
        sql_ << "DELETE FROM schema";
        const auto now = static_cast<long long>(version + 1);
        sql_ << "INSERT INTO schema (version) VALUES (:v)", soci::use(now);
        t.commit();
    }
}

}  // namespace locker::portal
