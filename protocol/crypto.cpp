#include "protocol/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace locker {
namespace {

struct key_free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct context_free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, key_free>;
using context_ptr = std::unique_ptr<EVP_MD_CTX, context_free>;

// libcrypto fails here only when memory is gone or it was built without the algorithm: nothing to go on with.
void must(bool ok, const char* what) {
    if (!ok) {
        throw std::runtime_error(std::string("libcrypto: ") + what + " failed");
    }
}

template <std::size_t N>
std::array<std::uint8_t, N> hmac(const EVP_MD* hash, byte_view key, byte_view message) {
    std::array<std::uint8_t, N> out{};
    unsigned int size = 0;
    must(HMAC(hash, key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.data(), &size) !=
                 nullptr &&
             size == N,
         "HMAC");
    return out;
}

}  // namespace

digest256 sha256(byte_view data) {
    digest256 out{};
    SHA256(data.data(), data.size(), out.data());
    return out;
}

digest256 hmac_sha256(byte_view key, byte_view message) {
    return hmac<32>(EVP_sha256(), key, message);
}

std::array<std::uint8_t, 20> hmac_sha1(byte_view key, byte_view message) {
    return hmac<20>(EVP_sha1(), key, message);
}

bool ed25519_verify(const key256& public_key, byte_view message, byte_view signature) {
    const key_ptr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()));
    const context_ptr context(EVP_MD_CTX_new());
    if (!key || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) {
        return false;
    }
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

std::array<std::uint8_t, 64> ed25519_sign(const key256& seed, byte_view message) {
    const key_ptr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
    const context_ptr context(EVP_MD_CTX_new());
    must(key && context, "Ed25519 key");
    std::array<std::uint8_t, 64> out{};
    std::size_t size = out.size();
    must(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
             EVP_DigestSign(context.get(), out.data(), &size, message.data(), message.size()) == 1,
         "Ed25519 signature");
    return out;
}

key256 ed25519_public(const key256& seed) {
    const key_ptr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
    key256 out{};
    std::size_t size = out.size();
    must(key && EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) == 1, "Ed25519 public key");
    return out;
}

secret256::~secret256() {
    wipe(*this);
}

void wipe(std::span<std::uint8_t> secret) {
    OPENSSL_cleanse(secret.data(), secret.size());
}

std::string to_hex(byte_view data) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(data.size() * 2);
    for (const std::uint8_t byte : data) {
        out.push_back(digits[byte >> 4U]);
        out.push_back(digits[byte & 0x0FU]);
    }
    return out;
}

std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text) {
    const auto value = [](char c) -> int {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        if (c >= 'A' && c <= 'F') {
            return c - 'A' + 10;
        }
        return -1;
    };
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = value(text[i]);
        const int low = value(text[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return out;
}

namespace {
constexpr std::string_view base64url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string to_base64url(byte_view data) {
    std::string out;
    out.reserve((data.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const std::uint8_t byte : data) {
        bits = (bits << 8U) | byte;
        held += 8;
        while (held >= 6) {
            held -= 6;
            out.push_back(base64url_alphabet[(bits >> held) & 0x3FU]);
        }
    }
    if (held > 0) {
        out.push_back(base64url_alphabet[(bits << (6U - held)) & 0x3FU]);
    }
    return out;
}

std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text) {
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const auto value = base64url_alphabet.find(c);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out.push_back(static_cast<std::uint8_t>((bits >> held) & 0xFFU));
        }
    }
    if ((bits & ((1U << held) - 1U)) != 0) {
        return std::nullopt;  // a second spelling of the same bytes
    }
    return out;
}

std::optional<key256> as_key(byte_view data) {
    if (data.size() != 32) {
        return std::nullopt;
    }
    key256 out{};
    std::copy(data.begin(), data.end(), out.begin());
    return out;
}

}  // namespace locker
