// What the portal keeps secret at rest: sealed texts (AES-256-GCM), look-up values of what is sealed (HMAC-SHA-256),
// passwords (scrypt, RFC 7914), random tokens. All from one data key, which comes from a credential.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "portal/server/domain/problem.hpp"
#include "protocol/crypto.hpp"

namespace locker::portal {

class vault {
public:
    vault(const key256& data_key, sources from);

    // `purpose` is bound to the text: what was sealed as a phone number opens as nothing else.
    [[nodiscard]] std::string seal(std::string_view purpose, std::string_view text) const;
    // Nothing: it was not sealed for this, or not by this key.
    [[nodiscard]] std::optional<std::string> open(std::string_view purpose, std::string_view sealed) const;

    // The same text gives the same value, which tells nothing of it: for columns that are searched.
    [[nodiscard]] std::string index(std::string_view purpose, std::string_view text) const;

    // base64url of so many random bytes.
    [[nodiscard]] std::string token(std::size_t bytes) const;
    // So many random decimal digits.
    [[nodiscard]] std::string digits(std::size_t count) const;

    // "scrypt$<salt>$<hash>", N = 2^15, r = 8, p = 1: 32 MiB and some 0.1 s; both are to be called off the loop's
    // thread.
    [[nodiscard]] std::string hash_password(std::string_view password) const;
    [[nodiscard]] static bool check_password(std::string_view password, std::string_view hash);

private:
    secret256 sealing_;
    secret256 indexing_;
    sources from_;
};

// In constant time for texts of one length.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b);

}  // namespace locker::portal
