// The ledger as lockerctl shows, exports and verifies it: from a running lockerd, or from the file of one that is
// stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "protocol/ledger.hpp"

namespace locker {

// Gives rows from `from` on, in pages; empty at the end.
using row_source = std::function<std::vector<ledger_row>(std::uint64_t from)>;

[[nodiscard]] row_source rows_from_socket(const std::string& socket);
[[nodiscard]] row_source rows_from_file(const std::string& database);

// The head that the working set knows: what the ledger must at least reach, so that a cut-off end shows.
struct known_head {
    std::uint64_t sequence = 0;
    digest256 hash{};
};
[[nodiscard]] known_head head_from_socket(const std::string& socket);
[[nodiscard]] known_head head_from_file(const std::string& database);

// Which rows are shown; what is empty or 0 asks for nothing.
struct row_filter {
    std::uint64_t to = 0;
    std::string type;  // or its beginning
    int door = 0;
    std::string deposit;
    std::string since;  // RFC 3339
};
// Throws std::runtime_error when `since` is no time.
[[nodiscard]] bool fits(const ledger_row& row, const row_filter& only);

[[nodiscard]] std::string row_json(const ledger_row& row);
// RFC 4180: sequence, time, type, subject, compartment, deposit, by, data, hash.
[[nodiscard]] std::string csv_header();
[[nodiscard]] std::string row_csv(const ledger_row& row);

struct verification {
    std::uint64_t rows = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    digest256 head{};
    std::string wrong;  // empty: the chain holds
};
// `progress` is called now and then with the rows read so far.
[[nodiscard]] verification verify(const row_source& source, const known_head& head,
                                  const std::function<void(std::uint64_t)>& progress);

}  // namespace locker
