// The seam between the core and the disk. One transaction at a time, on the caller's thread, on disk when it returns.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/ledger.hpp"

namespace locker {

// One row of the working set: a JSON document under (kind, key). No value: the row goes.
struct state_write {
    std::string kind;
    std::string key;
    std::optional<std::string> value;
    std::int64_t until = 0;  // 0: kept until removed; else what `prune` compares with
};

// Removes the rows of a kind with 0 < until < before, and the oldest beyond `keep`.
struct state_prune {
    std::string kind;
    std::int64_t before = 0;
    std::uint64_t keep = UINT64_MAX;
};

struct transaction {
    std::vector<ledger_row> rows;
    std::vector<state_write> writes;
    std::vector<state_prune> prunes;
    std::uint64_t forget_through = 0;  // ledger rows up to this one leave; 0: none
    // A hint survives the death of the process, not a power cut: it is written without a sync.
    bool hint = false;
};

// Named by what follows.
enum class commit_error : std::uint8_t {
    none,
    full,    // no space: retry later, alarm, refuse what needs space
    failed,  // the medium answered with an error: retry later, alarm
};

// Reading failed: whatever was asked is not known, so the input that asked is refused as storage_failed.
struct archive_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// … for good: the file is damaged, or of another program. Starting again does not mend it.
struct damaged_archive : archive_error {
    using archive_error::archive_error;
};

// What was committed. Reads are functions of the committed content alone, so the core stays deterministic with them.
class archive {
public:
    virtual ~archive() = default;
    [[nodiscard]] virtual std::optional<std::string> find(std::string_view kind, std::string_view key) const = 0;
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> all(std::string_view kind) const = 0;
    // Rows from … to inclusive, in order, at most `limit`.
    [[nodiscard]] virtual std::vector<ledger_row> rows(std::uint64_t from, std::uint64_t to,
                                                       std::uint64_t limit) const = 0;
    [[nodiscard]] virtual std::uint64_t earliest() const = 0;  // 0: the ledger is empty
};

class store : public archive {
public:
    [[nodiscard]] virtual commit_error commit(const transaction& tx) = 0;
    [[nodiscard]] virtual std::string last_error() const = 0;  // of the last commit that failed, for the log
};

}  // namespace locker
