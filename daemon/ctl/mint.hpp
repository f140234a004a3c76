// Codes, grants and keys for integrators and tests, from key files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace locker {

// Nine digits, shown as people read them.
[[nodiscard]] std::string mint_code(const std::string& cabinet_key_file, const std::string& deposit,
                                    std::uint64_t issue);

struct grant_wish {
    std::string key_file;  // private JWK
    std::string cabinet;
    std::string act;
    std::string epoch;  // empty: for scanner and control socket
    std::int64_t life_s = 60;
    std::string deposit;
    std::string kind;
    std::string case_id;
    std::string size;
    bool accessible = false;
    int compartment = 0;
    std::string sub;
    std::string reason;
    std::int64_t issue_min = -1;  // below 0: none
    std::int64_t version = 0;     // 0: none
    std::string document;         // a file with what `staff` or `keys` holds
};
[[nodiscard]] std::string mint_grant_token(const grant_wish& wish);

// "4711 # 123456" for this moment.
[[nodiscard]] std::string mint_staff_code(const std::string& cabinet_key_file, const std::string& number);

// 32 random bytes into a new file, for the rotation of a key; refuses to overwrite.
void mint_cabinet_key(const std::string& file);

// Writes cabinet.key, issuer.jwk (private), issuers.json (the ring), root.jwk (private) and root.json into a folder;
// refuses to overwrite.
void mint_keys(const std::string& folder, const std::string& kid);

}  // namespace locker
