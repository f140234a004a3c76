#include "daemon/ctl/mint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "hal/config/key_files.hpp"
#include "hal/system/system_clock.hpp"
#include "protocol/code.hpp"
#include "protocol/grant.hpp"
#include "protocol/limits.hpp"

namespace locker {
namespace {

template <typename T>
T must(file_reading<T> r) {
    if (!r) {
        throw std::runtime_error(r.error().what);
    }
    return std::move(*r);
}

// The cabinet ignores members it does not know; whoever writes a document by hand hears of them.
void check_members(const boost::json::value& list, const std::string& what, const std::string& file) {
    const std::set<std::string_view> known =
        what == "keys" ? std::set<std::string_view>{"kid", "kty", "crv", "x", "acts", "alg", "use"}
                       : std::set<std::string_view>{"number", "sub", "permits", "suspended"};
    if (!list.is_array()) {
        return;  // parse_grant says so
    }
    std::size_t i = 0;
    for (const auto& item : list.get_array()) {
        for (const auto& member : item.is_object() ? item.get_object() : boost::json::object()) {
            if (known.count(member.key()) == 0) {
                throw std::runtime_error(fmt::format("{}: {}[{}]: there is no member \"{}\"; here are: {}", file, what,
                                                     i, std::string_view(member.key()), fmt::join(known, ", ")));
            }
        }
        ++i;
    }
}

}  // namespace

std::string mint_code(const std::string& cabinet_key_file, const std::string& deposit, std::uint64_t issue) {
    if (!is_name(deposit)) {
        throw std::runtime_error("deposit: 1 to 64 of A-Z a-z 0-9 _ - are wanted");
    }
    return shown_code(pickup_code(deposit_key(must(read_cabinet_key(cabinet_key_file)), deposit), issue));
}

std::string mint_grant_token(const grant_wish& wish) {
    const auto key = must(read_signing_key(wish.key_file));
    const std::int64_t now = system_clock(true).now().wall_ms / 1000;
    boost::json::object claims{{"aud", wish.cabinet},
                               {"jti", to_base64url(random_bytes(16))},
                               {"iat", now},
                               {"exp", now + wish.life_s},
                               {"act", wish.act}};
    const auto put = [&](std::string_view claim, const std::string& value) {
        if (!value.empty()) {
            claims[claim] = value;
        }
    };
    put("epoch", wish.epoch);
    put("dep", wish.deposit);
    put("kind", wish.kind);
    put("case", wish.case_id);
    put("size", wish.size);
    put("sub", wish.sub);
    put("reason", wish.reason);
    if (wish.accessible) {
        claims["accessible"] = true;
    }
    if (wish.compartment != 0) {
        claims["cmp"] = wish.compartment;
    }
    if (wish.issue_min >= 0) {
        claims["issue_min"] = wish.issue_min;
    }
    if (wish.version > 0) {
        claims["version"] = wish.version;
    }
    if (!wish.document.empty()) {
        const std::string member = wish.act == "keys" ? "keys" : "staff";
        boost::json::error_code error;
        auto value = boost::json::parse(must(read_text_file(wish.document)), error);
        if (error) {
            throw std::runtime_error(wish.document + " is no JSON: " + error.message());
        }
        claims[member] = value.is_object() && value.as_object().contains(member) ? value.as_object().at(member) : value;
        check_members(claims.at(member), member, wish.document);
    }
    std::string token = mint_grant(claims, key);
    const std::int64_t longest = wish.epoch.empty() ? limits::grant_local_life_s : limits::grant_mqtt_life_s;
    if (wish.life_s < 1 || wish.life_s > longest) {
        throw std::runtime_error(fmt::format("--life: 1 to {} s are wanted {}", longest,
                                             wish.epoch.empty() ? "at the cabinet's front" : "over MQTT"));
    }
    if (const auto check = parse_grant(token); !check) {
        throw std::runtime_error(check.error().detail);
    }
    return token;
}

std::string mint_staff_code(const std::string& cabinet_key_file, const std::string& number) {
    if (!is_staff_number(number)) {
        throw std::runtime_error("number: 4 to 6 digits are wanted");
    }
    const auto key = staff_key(must(read_cabinet_key(cabinet_key_file)), number);
    std::string totp = std::to_string(totp6(key, system_clock(true).now().wall_ms / 1000 / totp_period_s));
    totp.insert(0, 6 - totp.size(), '0');
    return number + "#" + totp;
}

void mint_cabinet_key(const std::string& file) {
    std::string hex = to_hex(random_bytes(32)) + "\n";
    write_new_file(file, hex, 0600);
    wipe({reinterpret_cast<std::uint8_t*>(hex.data()), hex.size()});
}

void mint_keys(const std::string& folder, const std::string& kid) {
    if (kid.empty() || kid == "root") {
        throw std::runtime_error(kid.empty() ? "--kid: a name is wanted"
                                             : "--kid: \"root\" is the root key's; the issuer key wants another");
    }
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        throw std::runtime_error(fmt::format("{} cannot be made: {}", folder, error.message()));
    }
    struct pair {
        boost::json::object secret;
        boost::json::object shared;
    };
    const auto make = [](const std::string& name) {
        secret256 seed;
        auto bytes = random_bytes(seed.size());
        std::copy(bytes.begin(), bytes.end(), seed.begin());
        wipe(bytes);
        const boost::json::object shared{
            {"kty", "OKP"}, {"crv", "Ed25519"}, {"kid", name}, {"x", to_base64url(ed25519_public(seed))}};
        auto secret = shared;
        secret["d"] = to_base64url(seed);
        return pair{secret, shared};
    };
    auto issuer = make(kid);
    const auto root = make("root");
    issuer.shared["acts"] = {"deposit", "collect", "open", "move", "settle", "revoke", "staff", "roster"};
    const auto line = [](const boost::json::value& v) { return boost::json::serialize(v) + "\n"; };
    mint_cabinet_key(folder + "/cabinet.key");
    write_new_file(folder + "/issuer.jwk", line(issuer.secret), 0600);
    write_new_file(folder + "/issuers.json",
                   line(boost::json::object{{"version", 1}, {"keys", boost::json::array{issuer.shared}}}), 0644);
    write_new_file(folder + "/root.jwk", line(root.secret), 0600);
    write_new_file(folder + "/root.json", line(root.shared), 0644);
}

}  // namespace locker
