// Grants: JWTs signed with Ed25519 (RFC 7519, RFC 8037; RFC 8725 §3.1: the algorithm is pinned, never read). This file
// knows their form and their signature. Whether one is accepted (time, epoch, use) is the core's to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/crypto.hpp"
#include "protocol/json.hpp"
#include "protocol/staff.hpp"
#include "protocol/words.hpp"

namespace locker {

enum class grant_act : std::uint8_t { deposit, collect, open, move, settle, revoke, staff, roster, keys };

[[nodiscard]] std::string_view name(grant_act act);
[[nodiscard]] std::optional<grant_act> grant_act_from(std::string_view text);

struct issuer_key {
    std::string kid;
    key256 public_key{};
    std::vector<grant_act> acts;  // what it may sign
    bool operator==(const issuer_key&) const = default;
    [[nodiscard]] bool may_sign(grant_act act) const;
};

struct grant {
    // header
    std::string kid;
    // registered claims; times are seconds since 1970
    std::string aud;
    std::string jti;
    std::int64_t iat = 0;
    std::int64_t exp = 0;
    std::optional<std::int64_t> nbf;
    // ours
    std::optional<std::string> epoch;
    grant_act act = grant_act::open;
    std::string dep;
    std::optional<deposit_kind> kind;
    std::string case_id;
    std::optional<box_size> size;
    bool accessible = false;
    std::optional<int> cmp;
    std::string sub;
    std::string reason;
    std::optional<std::int64_t> issue_min;
    std::optional<std::int64_t> version;
    std::vector<staff_member> staff;  // of act roster
    std::vector<issuer_key> keys;     // of act keys
    // what the signature covers, and the signature
    std::string signing_input;
    std::vector<std::uint8_t> signature;
};

// Form alone: three base64url parts, alg EdDSA, typ locker-grant+jwt, no crit, claims of the right type and within
// bounds, what the act needs present. Error: malformed, with the claim's name.
[[nodiscard]] reading<grant> parse_grant(std::string_view token);

// True when `text` looks like a compact JWT rather than digits from a keypad.
[[nodiscard]] bool looks_like_grant(std::string_view text);

struct key_ring {
    std::int64_t version = 0;
    std::vector<issuer_key> keys;
    bool operator==(const key_ring&) const = default;
    [[nodiscard]] const issuer_key* find(std::string_view kid) const;
};

// {"version":1,"keys":[{"kty":"OKP","crv":"Ed25519","kid":…,"x":…,"acts":[…]}]}: a JWK set (RFC 7517) with two members
// more. Error: malformed, naming the key and member.
[[nodiscard]] reading<key_ring> parse_key_ring(std::string_view text);

[[nodiscard]] std::string encode(const key_ring& ring);

// The root key: a public JWK without acts. It may sign `keys` and `roster`, and nothing else.
[[nodiscard]] reading<issuer_key> parse_root_key(std::string_view text);

struct signing_key {
    std::string kid;
    key256 seed{};
};
// A private JWK: {"kty":"OKP","crv":"Ed25519","kid":…,"d":…}.
[[nodiscard]] reading<signing_key> parse_signing_key(std::string_view text);

[[nodiscard]] bool verify_signature(const grant& g, const issuer_key& key);

// A compact JWT over `claims`.
[[nodiscard]] std::string mint_grant(const boost::json::object& claims, const signing_key& key);

}  // namespace locker
