#include "portal/server/domain/vault.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace locker::portal {
namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t salt_bytes = 16;
constexpr std::string_view scheme = "scrypt$";

using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

void must(bool done) {
    if (!done) {
        throw std::runtime_error("OpenSSL refused a computation");
    }
}

std::string scrypt(std::string_view password, byte_view salt) {
    std::array<unsigned char, 32> out{};
    constexpr std::uint64_t n = 1U << 15U;
    constexpr std::uint64_t most_memory = 64ULL * 1024 * 1024;
    must(EVP_PBE_scrypt(password.data(), password.size(), salt.data(), salt.size(), n, 8, 1, most_memory, out.data(),
                        out.size()) == 1);
    return to_base64url(out);
}

}  // namespace

void throw_exception_from_error(const problem& p, const boost::source_location&) {
    throw std::logic_error("a refusal was taken for a result: " + p.code);
}

vault::vault(const key256& data_key, sources from)
    : sealing_(hmac_sha256(data_key, bytes_of("portal/seal/v1"))),
      indexing_(hmac_sha256(data_key, bytes_of("portal/index/v1"))),
      from_(std::move(from)) {}

std::string vault::seal(std::string_view purpose, std::string_view text) const {
    std::vector<unsigned char> out = from_.random(nonce_bytes);
    out.resize(nonce_bytes + text.size() + tag_bytes);
    const cipher_context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int length = 0;
    must(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, sealing_.data(), out.data()) == 1);
    const auto bound = bytes_of(purpose);
    must(EVP_EncryptUpdate(context.get(), nullptr, &length, bound.data(), static_cast<int>(bound.size())) == 1);
    const auto plain = bytes_of(text);
    must(EVP_EncryptUpdate(context.get(), out.data() + nonce_bytes, &length, plain.data(),
                           static_cast<int>(plain.size())) == 1);
    must(EVP_EncryptFinal_ex(context.get(), out.data() + nonce_bytes + length, &length) == 1);
    must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, out.data() + nonce_bytes + text.size()) ==
         1);
    return to_base64url(out);
}

std::optional<std::string> vault::open(std::string_view purpose, std::string_view sealed) const {
    auto bytes = from_base64url(sealed);
    if (!bytes || bytes->size() < nonce_bytes + tag_bytes) {
        return std::nullopt;
    }
    const std::size_t size = bytes->size() - nonce_bytes - tag_bytes;
    std::string out(size, '\0');
    const cipher_context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int length = 0;
    must(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, sealing_.data(), bytes->data()) == 1);
    const auto bound = bytes_of(purpose);
    must(EVP_DecryptUpdate(context.get(), nullptr, &length, bound.data(), static_cast<int>(bound.size())) == 1);
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    must(EVP_DecryptUpdate(context.get(), to, &length, bytes->data() + nonce_bytes, static_cast<int>(size)) == 1);
    must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, bytes->data() + nonce_bytes + size) == 1);
    return EVP_DecryptFinal_ex(context.get(), to + length, &length) == 1 ? std::optional(out) : std::nullopt;
}

std::string vault::index(std::string_view purpose, std::string_view text) const {
    std::string bound(purpose);
    bound += '\0';
    bound += text;
    return to_base64url(hmac_sha256(indexing_, bytes_of(bound)));
}

std::string vault::token(std::size_t bytes) const {
    return to_base64url(from_.random(bytes));
}

std::string vault::digits(std::size_t count) const {
    std::string out;
    while (out.size() < count) {
        for (const unsigned char byte : from_.random(count)) {
            if (byte < 250 && out.size() < count) {  // else some digits were likelier
                out += static_cast<char>('0' + byte % 10);
            }
        }
    }
    return out;
}

std::string vault::hash_password(std::string_view password) const {
    const auto salt = from_.random(salt_bytes);
    return std::string(scheme) + to_base64url(salt) + "$" + scrypt(password, salt);
}

bool vault::check_password(std::string_view password, std::string_view hash) {
    if (!hash.starts_with(scheme)) {
        return false;
    }
    hash.remove_prefix(scheme.size());
    const auto dollar = hash.find('$');
    const auto salt = from_base64url(hash.substr(0, dollar));
    return dollar != std::string_view::npos && salt && same_secret(scrypt(password, *salt), hash.substr(dollar + 1));
}

bool same_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace locker::portal
