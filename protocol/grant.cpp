#include "protocol/grant.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/limits.hpp"

namespace locker {
namespace {

constexpr std::array<std::string_view, 9> acts{"deposit", "collect", "open",   "move", "settle",
                                               "revoke",  "staff",   "roster", "keys"};
constexpr std::int64_t seconds_max = 253402300799;  // 9999-12-31
constexpr std::string_view grant_type = "locker-grant+jwt";

// Joins the steps of a reading: the first refusal wins, later steps are skipped.
class reader {
public:
    explicit reader(const boost::json::object& o) : o_(o) {}

    template <typename T, typename F>
    void take(T& into, F&& read) {
        if (failed_) {
            return;
        }
        auto value = read(o_);
        if (!value) {
            failed_ = value.error();
        } else {
            into = std::move(*value);
        }
    }
    void text(std::string& into, std::string_view member, std::size_t max_bytes) {
        std::optional<std::string> value;
        take(value, [&](const auto& o) { return optional_text(o, member, max_bytes); });
        into = value.value_or("");
    }
    void integer(std::optional<std::int64_t>& into, std::string_view member, std::int64_t high) {
        take(into, [&](const auto& o) { return optional_integer(o, member, 0, high); });
    }
    void need(bool ok, std::string_view what) {
        if (!failed_ && !ok) {
            failed_ = malformed(std::string(what));
        }
    }
    [[nodiscard]] const std::optional<refusal>& failed() const { return failed_; }

private:
    const boost::json::object& o_;
    std::optional<refusal> failed_;
};

reading<boost::json::object> part_of(std::string_view text, std::string_view what) {
    const auto bytes = from_base64url(text);
    if (!bytes) {
        return malformed(fmt::format("grant: {} is not base64url without padding", what));
    }
    auto object = parse_object({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, limits::grant_bytes);
    if (!object) {
        return malformed(fmt::format("grant: {}: {}", what, object.error().detail));
    }
    return object;
}

bool is_visible_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

reading<issuer_key> parse_issuer_key(const boost::json::object& jwk);

reading<std::vector<issuer_key>> parse_keys(const boost::json::value* list) {
    if (list == nullptr || !list->is_array() || list->get_array().size() > limits::keys_max) {
        return malformed(fmt::format("keys: a list of at most {} JWKs is wanted", limits::keys_max));
    }
    std::vector<issuer_key> out;
    for (const auto& item : list->get_array()) {
        if (!item.is_object()) {
            return malformed("keys: each must be a JWK object");
        }
        auto key = parse_issuer_key(item.get_object());
        if (!key) {
            return malformed(fmt::format("keys[{}]: {}", out.size(), key.error().detail));
        }
        if (std::any_of(out.begin(), out.end(), [&](const auto& k) { return k.kid == key->kid; })) {
            return malformed(fmt::format("keys[{}]: kid {} stands twice", out.size(), key->kid));
        }
        out.push_back(std::move(*key));
    }
    return out;
}

// roster and keys: the grant is the document.
void read_document(reader& r, grant& g, const boost::json::object& claims) {
    r.need(g.version.has_value() && *g.version > 0, "grant: version, a number above 0, is needed by this act");
    if (g.act == grant_act::keys) {
        r.take(g.keys, [](const auto& o) { return parse_keys(o.if_contains("keys")); });
        return;
    }
    const auto* list = claims.if_contains("staff");
    r.take(g.staff, [&](const auto&) -> reading<std::vector<staff_member>> {
        if (list == nullptr) {
            return malformed("grant: act roster needs staff, a list");
        }
        return parse_members(*list);
    });
}

void read_claims(reader& r, grant& g, const boost::json::object& claims) {
    std::optional<std::int64_t> iat;
    std::optional<std::int64_t> exp;
    std::optional<std::int64_t> cmp;
    std::optional<bool> accessible;
    std::string act;
    std::string kind;
    std::string size;
    r.text(g.aud, "aud", limits::name_bytes);
    r.text(g.jti, "jti", limits::jti_bytes);
    r.integer(iat, "iat", seconds_max);
    r.integer(exp, "exp", seconds_max);
    r.integer(g.nbf, "nbf", seconds_max);
    r.take(g.epoch, [](const auto& o) { return optional_text(o, "epoch", limits::name_bytes); });
    r.text(act, "act", limits::name_bytes);
    r.text(g.dep, "dep", limits::name_bytes);
    r.text(kind, "kind", limits::name_bytes);
    r.text(g.case_id, "case", limits::text_bytes);
    r.text(size, "size", limits::name_bytes);
    r.take(accessible, [](const auto& o) { return optional_flag(o, "accessible"); });
    r.take(cmp, [](const auto& o) { return optional_integer(o, "cmp", 1, limits::compartment_max); });
    r.text(g.sub, "sub", limits::text_bytes);
    r.text(g.reason, "reason", limits::text_bytes);
    r.integer(g.issue_min, "issue_min", 1'000'000'000);
    r.integer(g.version, "version", 1'000'000'000'000);
    if (r.failed()) {
        return;
    }
    r.need(!g.aud.empty(), "grant: aud is missing: the cabinet's id as one string");
    r.need(!g.jti.empty() && is_visible_ascii(g.jti), "grant: jti is missing or holds blanks");
    r.need(iat && exp, "grant: iat and exp are needed, whole seconds");
    const auto known_act = grant_act_from(act);
    r.need(known_act.has_value(),
           "grant: act must be deposit, collect, open, move, settle, revoke, staff, roster or keys");
    r.need(g.dep.empty() || is_name(g.dep), "grant: dep must be 1 to 64 of A-Z a-z 0-9 _ -");
    g.kind = deposit_kind_from(kind);
    r.need(kind.empty() || g.kind, "grant: kind must be intake or return");
    g.size = box_size_from(size);
    r.need(size.empty() || g.size, "grant: size must be S, M or L");
    if (r.failed()) {
        return;
    }
    g.iat = *iat;
    g.exp = *exp;
    r.need(g.exp > g.iat, "grant: exp must be after iat");
    g.act = *known_act;
    g.accessible = accessible.value_or(false);
    if (cmp) {
        g.cmp = static_cast<int>(*cmp);
    }
    switch (g.act) {
        case grant_act::deposit:
            r.need(!g.dep.empty() && g.kind, "grant: act deposit needs dep and kind");
            break;
        case grant_act::revoke:
            r.need(g.dep.empty() == !g.issue_min,
                   "grant: act revoke needs dep and issue_min, or neither: then all grants issued before its iat end");
            break;
        case grant_act::collect:
            r.need(!g.dep.empty(), "grant: this act needs dep");
            break;
        case grant_act::open:
        case grant_act::settle:
            r.need(g.cmp.has_value(), "grant: this act needs cmp");
            break;
        case grant_act::move:
            r.need(!g.dep.empty() && g.cmp, "grant: act move needs dep and cmp");
            break;
        case grant_act::staff:
            r.need(!g.sub.empty(), "grant: act staff needs sub, the staff member");
            break;
        case grant_act::roster:
        case grant_act::keys:
            read_document(r, g, claims);
            break;
    }
}

reading<key256> key_member(const boost::json::object& jwk, std::string_view member) {
    auto text = required_text(jwk, member, 64);
    if (!text) {
        return text.error();
    }
    const auto bytes = from_base64url(*text);
    const auto key = bytes ? as_key(*bytes) : std::nullopt;
    if (!key) {
        return malformed(fmt::format("{}: 32 bytes in base64url without padding are wanted", member));
    }
    return *key;
}

reading<std::string> ed25519_kid(const boost::json::object& jwk) {
    auto kty = required_text(jwk, "kty", 16);
    auto crv = required_text(jwk, "crv", 16);
    auto kid = required_text(jwk, "kid", limits::name_bytes);
    if (!kty || !crv || *kty != "OKP" || *crv != "Ed25519") {
        return malformed(R"(kty "OKP" and crv "Ed25519" are wanted)");
    }
    return kid;
}

reading<issuer_key> parse_issuer_key(const boost::json::object& jwk) {
    auto kid = ed25519_kid(jwk);
    if (!kid) {
        return kid.error();
    }
    auto x = key_member(jwk, "x");
    if (!x) {
        return x.error();
    }
    if (jwk.contains("d")) {
        return malformed("d: this is a private key; a ring holds public ones");
    }
    issuer_key key{std::move(*kid), *x, {}};
    const auto* list = jwk.if_contains("acts");
    if (list == nullptr || !list->is_array() || list->get_array().empty()) {
        return malformed("acts: a list of what the key may sign is wanted");
    }
    for (const auto& item : list->get_array()) {
        const auto* text = item.if_string();
        const auto act = text != nullptr ? grant_act_from({text->data(), text->size()}) : std::nullopt;
        if (!act) {
            return malformed("acts: an unknown act");
        }
        key.acts.push_back(*act);
    }
    return key;
}

}  // namespace

std::string_view name(grant_act act) {
    return acts[static_cast<std::size_t>(act)];
}

std::optional<grant_act> grant_act_from(std::string_view text) {
    const auto at = std::find(acts.begin(), acts.end(), text);
    if (at == acts.end()) {
        return std::nullopt;
    }
    return static_cast<grant_act>(at - acts.begin());
}

bool looks_like_grant(std::string_view text) {
    return text.starts_with("ey") && std::count(text.begin(), text.end(), '.') == 2;  // base64url of {"
}

reading<grant> parse_grant(std::string_view token) {
    if (token.size() > limits::grant_bytes) {
        return malformed(fmt::format("grant: {} bytes, at most {} are taken", token.size(), limits::grant_bytes));
    }
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
        return malformed("grant: a JWT in compact form has three parts");
    }
    auto header = part_of(token.substr(0, first), "header");
    if (!header) {
        return header.error();
    }
    auto claims = part_of(token.substr(first + 1, second - first - 1), "claims");
    if (!claims) {
        return claims.error();
    }
    auto signature = from_base64url(token.substr(second + 1));
    if (!signature || signature->size() != 64) {
        return malformed("grant: the signature is not 64 bytes in base64url");
    }
    grant g;
    std::string alg;
    std::string typ;
    reader h(*header);
    h.text(alg, "alg", 16);
    h.text(typ, "typ", 32);
    h.text(g.kid, "kid", limits::name_bytes);
    h.need(alg == "EdDSA", "grant: alg must be EdDSA");
    h.need(typ == grant_type, "grant: typ must be locker-grant+jwt");
    h.need(!g.kid.empty(), "grant: kid is missing");
    h.need(!header->contains("crit"), "grant: crit is not supported");
    if (h.failed()) {
        return *h.failed();
    }
    reader r(*claims);
    read_claims(r, g, *claims);
    if (r.failed()) {
        return *r.failed();
    }
    g.signing_input = std::string(token.substr(0, second));
    g.signature = std::move(*signature);
    return g;
}

bool issuer_key::may_sign(grant_act act) const {
    return std::find(acts.begin(), acts.end(), act) != acts.end();
}

const issuer_key* key_ring::find(std::string_view kid) const {
    const auto at = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.kid == kid; });
    return at == keys.end() ? nullptr : &*at;
}

reading<key_ring> parse_key_ring(std::string_view text) {
    auto object = parse_object(text, limits::payload_bytes);
    if (!object) {
        return object.error();
    }
    key_ring ring;
    auto version = optional_integer(*object, "version", 0, 1'000'000'000'000);
    if (!version) {
        return version.error();
    }
    ring.version = version->value_or(0);
    auto keys = parse_keys(object->if_contains("keys"));
    if (!keys) {
        return keys.error();
    }
    ring.keys = std::move(*keys);
    return ring;
}

std::string encode(const key_ring& ring) {
    boost::json::array keys;
    for (const auto& key : ring.keys) {
        boost::json::array list;
        for (const auto act : key.acts) {
            list.push_back(boost::json::string(name(act)));
        }
        keys.push_back(boost::json::object{{"kty", "OKP"},
                                           {"crv", "Ed25519"},
                                           {"kid", key.kid},
                                           {"x", to_base64url(key.public_key)},
                                           {"acts", std::move(list)}});
    }
    return boost::json::serialize(boost::json::object{{"version", ring.version}, {"keys", std::move(keys)}});
}

reading<issuer_key> parse_root_key(std::string_view text) {
    auto object = parse_object(text, limits::payload_bytes);
    if (!object) {
        return object.error();
    }
    auto kid = ed25519_kid(*object);
    auto x = kid ? key_member(*object, "x") : reading<key256>(kid.error());
    if (!x) {
        return x.error();
    }
    if (object->contains("d")) {
        return malformed("d: this is the private half; a cabinet is given the public one");
    }
    return issuer_key{std::move(*kid), *x, {grant_act::roster, grant_act::keys}};
}

reading<signing_key> parse_signing_key(std::string_view text) {
    auto object = parse_object(text, limits::payload_bytes);
    if (!object) {
        return object.error();
    }
    auto kid = ed25519_kid(*object);
    if (!kid) {
        return kid.error();
    }
    auto d = key_member(*object, "d");
    if (!d) {
        return d.error();
    }
    return signing_key{std::move(*kid), *d};
}

bool verify_signature(const grant& g, const issuer_key& key) {
    return ed25519_verify(key.public_key, bytes_of(g.signing_input), g.signature);
}

std::string mint_grant(const boost::json::object& claims, const signing_key& key) {
    const std::string header =
        boost::json::serialize(boost::json::object{{"alg", "EdDSA"}, {"typ", grant_type}, {"kid", key.kid}});
    const std::string body = boost::json::serialize(claims);
    std::string token = to_base64url(bytes_of(header)) + '.' + to_base64url(bytes_of(body));
    const auto signature = ed25519_sign(key.seed, bytes_of(token));
    return token + '.' + to_base64url(signature);
}

}  // namespace locker
