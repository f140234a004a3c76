#include "daemon/ctl/mint_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/ctl/mint.hpp"

namespace locker {

void add_mint(CLI::App& app, int& code) {
    auto* mint = app.add_subcommand("mint", "Make codes, grants and keys from key files (for integrators and tests)");
    mint->require_subcommand(1);

    static std::string key;
    static std::string deposit;
    static std::int64_t issue = 0;
    auto* pickup_code = mint->add_subcommand("code", "A one-time pickup code");
    pickup_code->add_option("--key", key, "The cabinet's key file")->required();
    pickup_code->add_option("--deposit", deposit, "The deposit's id")->required();
    pickup_code->add_option("--issue", issue, "Issue number, from 0")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}))
        ->capture_default_str();
    pickup_code->callback([&code] {
        std::cout << mint_code(key, deposit, static_cast<std::uint64_t>(issue)) << "\n";
        code = 0;
    });

    static grant_wish wish;
    auto* grant = mint->add_subcommand("grant", "A signed grant (JWT)");
    grant->add_option("--key", wish.key_file, "The issuer's private JWK file")->required();
    grant->add_option("--cabinet", wish.cabinet, "The cabinet's id")->required();
    grant->add_option("--act", wish.act, "deposit, collect, open, move, settle, revoke, staff, roster or keys")
        ->required();
    grant->add_option("--issue-min", wish.issue_min, "revoke: the deposit's first issue that is still good");
    grant->add_option("--version", wish.version, "roster, keys: the document's version; it only grows");
    grant->add_option("--document", wish.document, "roster: a file with the list of staff; keys: one with the ring");
    grant->add_option("--epoch", wish.epoch,
                      "From the cabinet's status; needed over MQTT, left out at the cabinet's front");
    grant->add_option("--life", wish.life_s, "Seconds until it expires: at most 60 over MQTT, 86400 at the front")
        ->capture_default_str();
    grant->add_option("--deposit", wish.deposit, "dep: the deposit's id");
    grant->add_option("--kind", wish.kind, "intake or return");
    grant->add_option("--case", wish.case_id, "The case's pseudonym");
    grant->add_option("--size", wish.size, "S, M or L");
    grant->add_flag("--accessible", wish.accessible, "An accessible compartment is wanted");
    grant->add_option("--compartment", wish.compartment, "cmp: the number on the door");
    grant->add_option("--sub", wish.sub, "The person's pseudonym");
    grant->add_option("--reason", wish.reason, "Why");
    grant->callback([&code] {
        std::cout << mint_grant_token(wish) << "\n";
        code = 0;
    });

    static std::string staff_number;
    auto* staff = mint->add_subcommand("staff-code", "What a staff member types now: number # TOTP");
    staff->add_option("--key", key, "The cabinet's key file")->required();
    staff->add_option("--number", staff_number, "4 to 6 digits")->required();
    staff->callback([&code] {
        std::cout << mint_staff_code(key, staff_number) << "\n";
        code = 0;
    });

    static std::string folder;
    static std::string file;
    auto* cabinet_key = mint->add_subcommand("cabinet-key", "A cabinet key alone, for the rotation of one");
    cabinet_key->add_option("file", file, "Where; must not exist yet")->required();
    cabinet_key->callback([&code] {
        mint_cabinet_key(file);
        code = 0;
    });

    static std::string kid = "portal-1";
    auto* keys = mint->add_subcommand("keys", "A cabinet key, an issuer key and its ring, a root key, in new files");
    keys->add_option("folder", folder, "Where")->required();
    keys->add_option("--kid", kid, "The issuer key's id")->capture_default_str();
    keys->callback([&code] {
        mint_keys(folder, kid);
        std::cout << fmt::format(
            "for the cabinet: {0}/cabinet.key  {0}/issuers.json  {0}/root.json\n"
            "for the portal:  {0}/cabinet.key  {0}/issuer.jwk\n"
            "in a safe:       {0}/root.jwk\n",
            folder);
        code = 0;
    });
}

}  // namespace locker
