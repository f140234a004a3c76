// locker-portal: the scanning flow for many cabinets.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "hal/config/key_files.hpp"
#include "hal/system/system_clock.hpp"
#include "portal/server/app.hpp"
#include "portal/server/config.hpp"
#include "portal/server/domain/staff.hpp"

namespace {

using namespace locker;
using namespace locker::portal;

constexpr int exit_failed = 2;
constexpr int exit_config = 78;

sources system_sources() {
    return {[] {
                return std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                    .count();
            },
            [](std::size_t count) { return random_bytes(count); }};
}

void tell(const std::vector<config_error>& mistakes, const std::string& file) {
    for (const auto& e : mistakes) {
        std::cerr << shown(file, e) << "\n";
    }
}

// Prints every mistake; nothing: it is wrong.
std::optional<portal_settings> settings_of(const std::string& file) {
    auto read = read_portal_config(file);
    if (const auto* errors = std::get_if<std::vector<config_error>>(&read)) {
        tell(*errors, file);
        return std::nullopt;
    }
    return std::get<portal_settings>(std::move(read));
}

void start_log() {
    auto logger = spdlog::stderr_logger_mt("locker-portal");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

struct desk_at_hand {
    explicit desk_at_hand(const portal_settings& s)
        : db(s.database), safe(s.data_key, system_sources()), desk{db, safe, system_sources(), s.issuer, s.by} {}
    database db;
    vault safe;
    office desk;
};

// The account is new, too: whoever has the old board has its password.
void print_bundle(desk_at_hand& d, const portal_settings& settings, const cabinet_record& cabinet) {
    auto broker = settings.cabinets_broker;
    broker.username = "cabinet-" + cabinet.id;
    broker.password = d.safe.token(18);
    std::cout << boost::json::serialize(provisioning(d.desk, cabinet, broker)) << "\n";
    std::cerr << "The broker's account and what it may (Mosquitto):\n"
              << broker_account_command(broker) << "\n"
              << broker_acl(broker, cabinet.id);
}

std::string password_from_input() {
    std::string line;
    std::getline(std::cin, line);
    return line;
}

template <typename T>
bool told(const result<T>& r) {
    if (!r) {
        std::cerr << "locker-portal: " << r.error().message << "\n";
    }
    return r.has_value();
}

int run(int argc, char** argv) {
    CLI::App cli{
        "locker-portal: the scanning flow, from the sticker's QR code to papers in hand.\n"
        "Exit codes: 0 done, 1 refused, 2 failed, 78 the configuration is wrong, 100 and above the command line."};
    cli.set_version_flag("--version", LOCKER_VERSION);
    cli.require_subcommand(1);
    std::string file = "/etc/cloud-locker-portal/portal.toml";
    cli.add_option("--config", file, "The configuration")->capture_default_str();
    int code = 0;

    cli.add_subcommand("serve", "Serve pages and API, speak to cabinets, send notices")->callback([&] {
        auto settings = settings_of(file);
        if (!settings) {
            code = exit_config;
            return;
        }
        start_log();
        app(std::move(*settings), system_sources()).run();
    });
    cli.add_subcommand("check-config", "Check the configuration: all its mistakes at once")->callback([&] {
        code = settings_of(file) ? 0 : exit_config;
        if (code == 0) {
            std::cout << file << ": good\n";
        }
    });

    staff_account who{"", "", "worker", {every_cabinet}, true};
    auto* staff = cli.add_subcommand("add-staff", "A staff account; its password is read from the input's first line");
    staff->add_option("number", who.number, "4 to 6 digits")->required();
    staff->add_option("--name", who.name, "As pages show it")->required();
    staff->add_option("--role", who.role, "worker or admin")
        ->check(CLI::IsMember({"worker", "admin"}))
        ->capture_default_str();
    staff->add_option("--cabinet", who.cabinets, "Only these cabinets; else all of them");
    // Both read a password and print the authenticator's key.
    const auto with_password = [&](const std::string& number, const char* what, const auto& deed) {
        const auto settings = settings_of(file);
        const auto password = settings ? password_from_input() : "";
        if (!settings || password.size() < 10) {
            if (settings) {
                std::cerr << "locker-portal: a password of at least 10 characters is wanted on standard input\n";
            }
            code = settings ? 1 : exit_config;
            return;
        }
        desk_at_hand d(*settings);
        transaction t(d.desk.db.sql());
        const result<std::string> secret = deed(d.desk, d.safe.hash_password(password));
        code = told(secret) ? 0 : 1;
        if (secret) {
            audit(d.desk, "command line", what, number);
            t.commit();
        }
        if (secret) {
            std::cout << boost::json::serialize(boost::json::object{{"number", number}, {"totp", *secret}}) << "\n";
        }
    };
    staff->callback([&] {
        with_password(who.number, audit_staff_added, [&](office& o, const std::string& hash) {
            return add_staff(o, {who, hash});
        });
    });

    std::string reset_number;
    auto* reset =
        cli.add_subcommand("reset-staff", "A new password, from the input's first line, and a new authenticator's key");
    reset->add_option("number", reset_number, "4 to 6 digits")->required();
    reset->callback([&] {
        with_password(reset_number, audit_staff_reset,
                      [&](office& o, const std::string& hash) { return reset_staff(o, reset_number, hash); });
    });

    cabinet_record cabinet;
    std::string key_file;
    std::string bundle;
    auto* enrol = cli.add_subcommand("enrol", "A new cabinet: prints its provisioning bundle");
    enrol->add_option("id", cabinet.id, "As it stands in topics and on the sticker")->required();
    enrol->add_option("--name", cabinet.name, "As pages show it")->required();
    enrol->add_option("--place", cabinet.place, "Where it stands");
    enrol->add_option("--help-number", cabinet.help, "A phone number for whoever stands before it");
    enrol->add_option("--key", key_file, "A key that the cabinet has already; else a new one is made");
    enrol->callback([&] {
        const auto settings = settings_of(file);
        if (!settings) {
            code = exit_config;
            return;
        }
        desk_at_hand d(*settings);
        secret256 key;
        if (key_file.empty()) {
            key = secret256(*as_key(random_bytes(key.size())));
        } else if (const auto read = read_cabinet_key(key_file)) {
            key = *read;
        } else {
            std::cerr << "locker-portal: " << read.error().what << "\n";
            code = exit_failed;
            return;
        }
        const auto done = add_cabinet(d.desk, cabinet, key);
        code = told(done) ? 0 : 1;
        if (done) {
            print_bundle(d, *settings, cabinet);
        }
    });
    auto* rekey = cli.add_subcommand(
        "new-key",
        "A new key for a cabinet whose ledger is restored or whose board was lost: prints its provisioning bundle");
    rekey->add_option("id", cabinet.id, "The cabinet")->required();
    rekey->callback([&] {
        const auto settings = settings_of(file);
        if (!settings) {
            code = exit_config;
            return;
        }
        desk_at_hand d(*settings);
        const auto done = rekey_cabinet(d.desk, cabinet.id, *as_key(random_bytes(32)));
        code = told(done) ? 0 : 1;
        if (done) {
            print_bundle(d, *settings, *find_cabinet(d.desk, cabinet.id));
        }
    });

    std::string catalogue_file;
    auto* catalogue =
        cli.add_subcommand("catalogue", "Puts a catalogue of services in force: TOML, or CSV by its name");
    catalogue->add_option("file", catalogue_file, "The file")->required()->check(CLI::ExistingFile);
    catalogue->callback([&] {
        auto settings = settings_of(file);
        const auto text = read_text_file(catalogue_file);
        if (!text) {
            std::cerr << "locker-portal: " << text.error().what << "\n";
        }
        if (!settings || !text) {
            code = settings ? exit_failed : exit_config;
            return;
        }
        std::string toml = *text;
        if (catalogue_file.ends_with(".csv")) {
            auto read = catalogue_from_csv(*text);
            if (const auto* wrong = std::get_if<std::vector<config_error>>(&read)) {
                tell(*wrong, catalogue_file);
                code = 1;
                return;
            }
            toml = std::get<std::string>(read);
        }
        desk_at_hand d(*settings);
        const auto parsed = parse_catalogue(toml);
        if (const auto* wrong = std::get_if<std::vector<config_error>>(&parsed)) {
            tell(*wrong, catalogue_file);
            code = 1;
            return;
        }
        const auto version = set_catalogue(d.desk, toml, "command line");
        code = told(version) ? 0 : 1;
        if (version) {
            std::cout << catalogue_file << ": version " << *version << " with " << std::get<services>(parsed).size()
                      << " services is in force\n";
        }
    });
    CLI11_PARSE(cli, argc, argv);
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) {
        std::cerr << "locker-portal: " << why(e) << "\n";
        return exit_failed;
    }
}
