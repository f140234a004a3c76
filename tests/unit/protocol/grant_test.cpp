// RFC 8037 appendix A.4 and the grant's form.
#include <doctest/doctest.h>

#include "protocol/grant.hpp"

using namespace locker;
using boost::json::object;

namespace {

constexpr std::string_view seed_text = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";  // RFC 8037 A.1 "d"
constexpr std::string_view x_text = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";     // RFC 8037 A.2 "x"

const signing_key signer{"k1", *as_key(*from_base64url(seed_text))};

object claims() {
    return {{"aud", "c1"}, {"jti", "j1"}, {"iat", 1000}, {"exp", 1060}, {"act", "open"}, {"cmp", 3}, {"epoch", "e"}};
}

std::string with(std::string_view member, const boost::json::value& value) {
    auto c = claims();
    c[member] = value;
    return mint_grant(c, signer);
}

std::string token_of(const object& header, const object& body) {
    const std::string input = to_base64url(bytes_of(serialize(header))) + "." + to_base64url(bytes_of(serialize(body)));
    return input + "." + to_base64url(ed25519_sign(signer.seed, bytes_of(input)));
}

}  // namespace

TEST_CASE("RFC 8037 appendix A.4: signing input and signature") {
    const std::string input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const std::string signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    CHECK(to_base64url(ed25519_sign(signer.seed, bytes_of(input))) == signature);
    CHECK(to_base64url(ed25519_public(signer.seed)) == x_text);
    CHECK(ed25519_verify(ed25519_public(signer.seed), bytes_of(input), *from_base64url(signature)));
}

TEST_CASE("a minted grant is read back and verifies with its key alone") {
    const auto g = parse_grant(mint_grant(claims(), signer));
    REQUIRE(g.has_value());
    CHECK(g->cmp == 3);
    CHECK(g->epoch == "e");
    CHECK(verify_signature(*g, {"k1", ed25519_public(signer.seed), {}}));
    CHECK_FALSE(verify_signature(*g, {"k1", key256{}, {}}));
}

TEST_CASE("every single bit of a token matters") {
    const std::string token = mint_grant(claims(), signer);
    const issuer_key key{"k1", ed25519_public(signer.seed), {}};
    for (std::size_t i = 0; i < token.size(); ++i) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string altered = token;
            altered[i] = static_cast<char>(static_cast<unsigned char>(altered[i]) ^ (1U << bit));
            const auto g = parse_grant(altered);
            CHECK_FALSE((g && g->kid == "k1" && verify_signature(*g, key)));
        }
    }
}

TEST_CASE("header: the algorithm is pinned, the type and the key id are needed") {
    const object good{{"alg", "EdDSA"}, {"typ", "locker-grant+jwt"}, {"kid", "k1"}};
    CHECK(parse_grant(token_of(good, claims())).has_value());
    for (const auto& [member, value] :
         std::initializer_list<std::pair<std::string_view, boost::json::value>>{{"alg", "none"},
                                                                                {"alg", "HS256"},
                                                                                {"alg", "ES256"},
                                                                                {"alg", nullptr},
                                                                                {"typ", "JWT"},
                                                                                {"kid", nullptr},
                                                                                {"crit", 1}}) {
        object header = good;
        header[member] = value;
        CHECK(parse_grant(token_of(header, claims())).error().code == error_code::malformed);
    }
}

TEST_CASE("claims: types, bounds, and what each act needs") {
    const std::vector<std::pair<std::string_view, boost::json::value>> wrong{
        {"aud", boost::json::value(boost::json::array{"c1"})},
        {"aud", nullptr},
        {"jti", ""},
        {"jti", "a b"},
        {"iat", 1000.5},
        {"iat", "1000"},
        {"exp", 1000},
        {"exp", nullptr},
        {"act", "fly"},
        {"cmp", 0},
        {"cmp", 1000},
        {"cmp", nullptr},
        {"dep", "a/b"},
        {"size", "XL"},
        {"kind", "gift"},
        {"accessible", "yes"},
        {"epoch", 7},
        {"sub", boost::json::value(std::string(300, 'x'))},
        {"act", "deposit"},
        {"act", "collect"}};
    for (const auto& [member, v] : wrong) {
        const auto g = parse_grant(with(member, v));
        REQUIRE_FALSE(g.has_value());
        CHECK(g.error().code == error_code::malformed);
        CHECK(g.error().detail.find(member == "kind" && v == "gift" ? "kind" : "") != std::string::npos);
        CHECK_FALSE(g.error().detail.empty());
    }
    CHECK(parse_grant(with("unknown", 1)).has_value());
}

TEST_CASE("base64url has one spelling") {
    CHECK(from_base64url("AA"));
    CHECK_FALSE(from_base64url("AB"));  // stray bits
    CHECK_FALSE(from_base64url("AA=="));
    CHECK_FALSE(from_base64url("A"));
    CHECK_FALSE(from_base64url("A+"));
}

TEST_CASE("the key ring names what is wrong with it") {
    const std::string good = R"({"version":2,"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":")" +
                             std::string(x_text) + R"(","acts":["open","settle"]}]})";
    const auto ring = parse_key_ring(good);
    REQUIRE(ring.has_value());
    CHECK(ring->version == 2);
    CHECK(ring->find("k1")->acts.size() == 2);
    CHECK(ring->find("k2") == nullptr);
    CHECK(parse_key_ring(R"({"keys":[{"kty":"RSA"}]})").error().detail.find("keys[0]") != std::string::npos);
}
