#include "protocol/ledger.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "protocol/timestamp.hpp"

namespace locker {
namespace {

void put_u64(std::string& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(static_cast<unsigned char>(value >> static_cast<unsigned>(shift))));
    }
}

void put_text(std::string& out, std::string_view text) {
    put_u64(out, text.size());
    out.append(text);
}

}  // namespace

digest256 ledger_hash(const ledger_row& row) {
    std::string bytes = "locker/ledger/v1";
    bytes.push_back('\0');
    put_u64(bytes, row.sequence);
    put_u64(bytes, static_cast<std::uint64_t>(row.wall_ms));
    put_u64(bytes, static_cast<std::uint64_t>(row.mono_ms));
    put_text(bytes, row.boot);
    put_text(bytes, row.type);
    put_text(bytes, row.subject);
    put_text(bytes, row.data);
    bytes.append(row.previous.begin(), row.previous.end());
    return sha256(bytes_of(bytes));
}

std::string padded(std::uint64_t sequence) {
    return fmt::format("{:020}", sequence);
}

std::string cloud_event(const ledger_row& row, std::string_view source) {
    // `data` is JSON already; it is spliced in, so that what is hashed is what is sent, byte for byte.
    std::string out = fmt::format(
        R"({{"specversion":"1.0","id":"{0}","source":"{1}","type":"locker.{2}","time":"{3}","sequence":"{0}",)",
        padded(row.sequence), source, row.type, format_time(row.wall_ms));
    if (!row.subject.empty()) {
        out += fmt::format(R"("subject":{},)", boost::json::serialize(boost::json::string(row.subject)));
    }
    out += fmt::format(R"("ledgerhead":"{}","datacontenttype":"application/json","data":{}}})", to_hex(row.hash),
                       row.data);
    return out;
}

}  // namespace locker
