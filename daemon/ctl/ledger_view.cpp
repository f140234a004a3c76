#include "daemon/ctl/ledger_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <stdexcept>

#include "daemon/ctl/client.hpp"
#include "hal/store/sqlite_store.hpp"
#include "protocol/timestamp.hpp"

namespace locker {
namespace {

constexpr std::int64_t page = 500;

digest256 digest_of(const boost::json::value& hex) {
    const auto bytes = from_hex(boost::json::value_to<std::string>(hex));
    const auto key = bytes ? as_key(*bytes) : std::nullopt;
    if (!key) {
        throw std::runtime_error("a hash in the ledger is not 64 hex digits");
    }
    return *key;
}

ledger_row row_of(const boost::json::object& o) {
    using boost::json::value_to;
    return {value_to<std::uint64_t>(o.at("sequence")),
            value_to<std::int64_t>(o.at("wall_ms")),
            value_to<std::int64_t>(o.at("mono_ms")),
            value_to<std::string>(o.at("boot")),
            value_to<std::string>(o.at("type")),
            value_to<std::string>(o.at("subject")),
            value_to<std::string>(o.at("data")),
            digest_of(o.at("previous")),
            digest_of(o.at("hash"))};
}

}  // namespace

row_source rows_from_socket(const std::string& socket) {
    return [socket](std::uint64_t from) {
        const auto answer = ask(socket, {{"do", "log"}, {"from", from}, {"limit", page}});
        std::vector<ledger_row> out;
        if (!answer.at("ok").as_bool()) {
            throw std::runtime_error(boost::json::serialize(answer.at("error")));
        }
        for (const auto& row : answer.at("result").as_array()) {
            out.push_back(row_of(row.as_object()));
        }
        return out;
    };
}

row_source rows_from_file(const std::string& database) {
    auto store = std::make_shared<sqlite_store>(database, sqlite_store::mode::read_only);
    return [store](std::uint64_t from) { return store->rows(from, UINT64_MAX, page); };
}

known_head head_from_socket(const std::string& socket) {
    const auto answer = ask(socket, {{"do", "status"}});
    if (!answer.at("ok").as_bool()) {
        throw std::runtime_error(boost::json::serialize(answer.at("error")));
    }
    const auto& result = answer.at("result").as_object();
    return {std::stoull(boost::json::value_to<std::string>(result.at("sequence"))), digest_of(result.at("head"))};
}

known_head head_from_file(const std::string& database) {
    const sqlite_store store(database, sqlite_store::mode::read_only);
    const auto meta = store.find("meta", "cabinet");
    if (!meta) {
        return {};
    }
    const auto o = boost::json::parse(*meta).as_object();
    return {boost::json::value_to<std::uint64_t>(o.at("sequence")), digest_of(o.at("head"))};
}

bool fits(const ledger_row& row, const row_filter& only) {
    if (!only.since.empty()) {
        const auto since = parse_time(only.since);
        if (!since) {
            throw std::runtime_error("--since " + only.since + ": a time like 2026-11-24T08:00:00Z is wanted");
        }
        if (row.wall_ms < *since) {
            return false;
        }
    }
    if ((only.to != 0 && row.sequence > only.to) || !row.type.starts_with(only.type)) {
        return false;
    }
    if (only.door == 0 && only.deposit.empty()) {
        return true;
    }
    const auto data = boost::json::parse(row.data).as_object();
    const auto* door = data.if_contains("compartment");
    const auto* deposit = data.if_contains("deposit");
    return (only.door == 0 || (door != nullptr && *door == only.door)) &&
           (only.deposit.empty() || (deposit != nullptr && *deposit == boost::json::string(only.deposit)));
}

std::string row_json(const ledger_row& row) {
    return boost::json::serialize(boost::json::object{{"sequence", row.sequence},
                                                      {"time", format_time(row.wall_ms)},
                                                      {"mono_ms", row.mono_ms},
                                                      {"boot", row.boot},
                                                      {"type", row.type},
                                                      {"subject", row.subject},
                                                      {"data", boost::json::parse(row.data)},
                                                      {"previous", to_hex(row.previous)},
                                                      {"hash", to_hex(row.hash)}});
}

namespace {

// RFC 4180 §2: in quotes, quotes doubled. A leading = + - @ would be a formula to a spreadsheet: an apostrophe goes
// before it.
std::string cell(std::string text) {
    if (!text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos) {
        text.insert(0, 1, '\'');
    }
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' ? "\"\"" : std::string(1, c);
    }
    return out + "\"";
}

std::string plain(const boost::json::object& data, std::string_view member) {
    const auto* v = data.if_contains(member);
    return v == nullptr ? "" : v->is_string() ? std::string(v->get_string()) : boost::json::serialize(*v);
}

// A row of the chain that says: the rows up to that one left, and this was the hash of the last (protocol/LEDGER.md).
bool vouches_for(const ledger_row& row, std::uint64_t last, const digest256& hash) {
    if (row.type != "ledger.pruned") {
        return false;
    }
    const auto data = boost::json::parse(row.data).as_object();
    const auto* through = data.if_contains("last");
    return through != nullptr && *through == last && plain(data, "hash") == to_hex(hash);
}

}  // namespace

std::string csv_header() {
    return "sequence,time,type,subject,compartment,deposit,by,reason,data,hash\r\n";
}

std::string row_csv(const ledger_row& row) {
    const auto data = boost::json::parse(row.data).as_object();
    return fmt::format("{},{},{},{},{},{},{},{},{},{}\r\n", row.sequence, format_time(row.wall_ms), cell(row.type),
                       cell(row.subject), plain(data, "compartment"), cell(plain(data, "deposit")),
                       cell(plain(data, "by")), cell(plain(data, "reason")), cell(row.data), to_hex(row.hash));
}

verification verify(const row_source& source, const known_head& head,
                    const std::function<void(std::uint64_t)>& progress) {
    verification v;
    std::uint64_t next = 1;
    bool vouched = true;  // for what was before the first row
    digest256 before{};
    for (auto rows = source(next); !rows.empty(); rows = source(next)) {
        for (const auto& row : rows) {
            if (v.rows == 0) {
                v.first = row.sequence;
                vouched = row.sequence == 1;
                before = row.previous;
                if (row.sequence == 1 && row.previous != digest256{}) {
                    v.wrong = "row 1 does not begin the chain";
                }
            } else if (row.sequence != v.last + 1) {
                v.wrong = fmt::format("row {} follows row {}: rows are missing", row.sequence, v.last);
            } else if (row.previous != v.head) {
                v.wrong = fmt::format("row {} does not continue row {}", row.sequence, v.last);
            }
            if (v.wrong.empty() && ledger_hash(row) != row.hash) {
                v.wrong = fmt::format("row {} was altered: its hash does not fit its content", row.sequence);
            }
            if (v.wrong.empty() && row.sequence == head.sequence && row.hash != head.hash) {
                v.wrong = fmt::format("row {} is not the head that was recorded", row.sequence);
            }
            if (!v.wrong.empty()) {
                return v;
            }
            vouched = vouched || vouches_for(row, v.first - 1, before);
            ++v.rows;
            v.last = row.sequence;
            v.head = row.hash;
        }
        next = v.last + 1;
        progress(v.rows);
    }
    if (!vouched) {
        v.wrong = fmt::format("rows 1 to {} are missing, and no row says that they left: the beginning was cut off",
                              v.first - 1);
    }
    if (v.last < head.sequence) {
        v.wrong = fmt::format("rows {} to {} are missing: the end was cut off", v.last + 1, head.sequence);
    }
    return v;
}

}  // namespace locker
