// Key files: read whole, checked for their mode, parsed by protocol/.
#pragma once

#include <boost/system/result.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/crypto.hpp"
#include "protocol/grant.hpp"

namespace locker {

// A sentence that names the file and the mend.
struct file_error {
    std::string what;
};
template <typename T>
using file_reading = boost::system::result<T, file_error>;

[[nodiscard]] file_reading<std::string> read_text_file(const std::string& path);

// "credential:NAME" is a file that systemd hands to this service alone (LoadCredential=): where it is. Nothing: the
// name is none.
inline constexpr std::string_view credential_prefix = "credential:";
[[nodiscard]] std::optional<std::string> credential_file(std::string_view name);

// A secret: refused when others may read it, or more than its owner may write it.
[[nodiscard]] file_reading<secret256> read_cabinet_key(const std::string& path);  // 32 bytes, or 64 hex digits
[[nodiscard]] file_reading<signing_key> read_signing_key(const std::string& path);
[[nodiscard]] file_reading<std::string> read_secret_line(const std::string& path);

// A file that is not there yet, synced. Throws std::runtime_error with a sentence: keys are never overwritten.
void write_new_file(const std::string& path, const std::string& text, unsigned mode);

// Public.
[[nodiscard]] file_reading<key_ring> read_key_ring(const std::string& path);
[[nodiscard]] file_reading<issuer_key> read_root_key(const std::string& path);

}  // namespace locker
