// The few primitives the contract stands on, over OpenSSL's libcrypto. Nothing here keeps a secret alive: keys are
// borrowed for the call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locker {

using byte_view = std::span<const std::uint8_t>;
using digest256 = std::array<std::uint8_t, 32>;
using key256 = std::array<std::uint8_t, 32>;

[[nodiscard]] inline byte_view bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

[[nodiscard]] digest256 sha256(byte_view data);
[[nodiscard]] digest256 hmac_sha256(byte_view key, byte_view message);
[[nodiscard]] std::array<std::uint8_t, 20> hmac_sha1(byte_view key, byte_view message);

// Ed25519, RFC 8032. `seed` is the 32-byte private key of RFC 8037's "d".
[[nodiscard]] bool ed25519_verify(const key256& public_key, byte_view message, byte_view signature);
[[nodiscard]] std::array<std::uint8_t, 64> ed25519_sign(const key256& seed, byte_view message);
[[nodiscard]] key256 ed25519_public(const key256& seed);

// A key that overwrites itself when it goes.
struct secret256 : key256 {
    secret256() : key256{} {}
    explicit secret256(const key256& key) : key256(key) {}
    secret256(const secret256&) = default;
    secret256& operator=(const secret256&) = default;
    ~secret256();
};

// Overwrites memory in a way the compiler keeps.
void wipe(std::span<std::uint8_t> secret);

[[nodiscard]] std::string to_hex(byte_view data);
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);

// RFC 4648 §5 without padding; the decoder takes the canonical form alone (no padding, no stray bits), so that a token
// has one spelling.
[[nodiscard]] std::string to_base64url(byte_view data);
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text);

// 32 bytes out of a vector of exactly that size.
[[nodiscard]] std::optional<key256> as_key(byte_view data);

}  // namespace locker
