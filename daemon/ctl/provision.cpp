#include "daemon/ctl/provision.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <vector>

#include "hal/config/key_files.hpp"
#include "hal/config/section.hpp"
#include "protocol/crypto.hpp"
#include "protocol/grant.hpp"
#include "protocol/json.hpp"
#include "protocol/limits.hpp"

namespace locker {
namespace {

namespace fs = std::filesystem;
using boost::json::object;

constexpr std::string_view form = "cloud-locker-provisioning/1";

std::string text(const object& o, std::string_view member, std::size_t most = limits::text_bytes) {
    if (const auto* v = o.if_contains(member); v != nullptr && v->is_string() && v->get_string().empty()) {
        return "";
    }
    const auto read = optional_text(o, member, most);
    if (!read) {
        throw std::runtime_error("the bundle: " + read.error().detail);
    }
    return read->value_or("");
}

const object& part(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    if (v == nullptr || !v->is_object()) {
        throw std::runtime_error(fmt::format("the bundle lacks {}: it is not whole", member));
    }
    return v->get_object();
}

// A TOML basic string.
std::string quoted(const std::string& given) {
    std::string out = "\"";
    for (const char c : given) {
        if (static_cast<unsigned char>(c) < ' ') {
            throw std::runtime_error("the bundle: a text holds a control character");
        }
        out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    }
    return out + "\"";
}

// Written under another name first: at any moment one of the two is there. What was there is kept, and never over what
// was kept before.
void put_file(const fs::path& path, const std::string& content, unsigned mode) {
    const std::string fresh = path.string() + ".new";
    fs::remove(fresh);
    write_new_file(fresh, content, mode);
    if (fs::exists(path)) {
        std::string kept = path.string() + ".before";
        for (int n = 2; fs::exists(kept); ++n) {
            kept = fmt::format("{}.before-{}", path.string(), n);
        }
        fs::copy_file(path, kept);
    }
    fs::rename(fresh, path);
}

void check_same(const std::string& config, const std::string& id) {
    const auto table = read_table(config);
    if (const auto* errors = std::get_if<std::vector<config_error>>(&table)) {
        throw std::runtime_error(shown(config, errors->front()));
    }
    const auto there = std::get<toml::table>(table)["cabinet"]["id"].value<std::string>().value_or("");
    if (there != id) {
        throw std::runtime_error(
            fmt::format("the bundle is of cabinet {}, the configuration of {}: nothing was written", id, there));
    }
}

}  // namespace

int provision(const std::string& bundle, const std::string& folder, bool replace) {
    const auto file = read_text_file(bundle);
    if (!file) {
        throw std::runtime_error(file.error().what);
    }
    const auto parsed = parse_object(*file, limits::payload_bytes);
    if (!parsed || text(*parsed, "form") != form) {
        throw std::runtime_error(bundle + " is no provisioning bundle: what the portal's enrolment printed is wanted");
    }
    const auto& cabinet = part(*parsed, "cabinet");
    const auto& broker = part(*parsed, "broker");
    const auto key = text(*parsed, "cabinet_key");
    const auto ring = boost::json::serialize(part(*parsed, "issuers"));
    const auto bytes = from_hex(key);
    if (!is_name(text(cabinet, "id")) || !bytes || !as_key(*bytes)) {
        throw std::runtime_error("the bundle: cabinet.id or cabinet_key is not what it should be");
    }
    if (const auto good = parse_key_ring(ring); !good) {
        throw std::runtime_error("the bundle: " + good.error().detail);
    }
    const fs::path keys = fs::path(folder) / "keys";
    const fs::path config = fs::path(folder) / "lockerd.toml";
    const std::vector<fs::path> in_keys{keys / "cabinet.key", keys / "issuers.json", keys / "broker.password"};
    if (replace && !fs::exists(config)) {
        throw std::runtime_error(config.string() + " is not there: --replace is for a cabinet that has one");
    }
    for (const auto& path : {config, in_keys[0], in_keys[1], in_keys[2]}) {
        if (!replace && fs::exists(path)) {
            throw std::runtime_error(path.string() + " exists already: nothing is overwritten, nothing was written");
        }
    }
    // All of it is read before anything is written.
    const auto user = text(broker, "username");
    const auto password = text(broker, "password");
    const std::string account =
        user.empty() ? "" : fmt::format("username = {}\npassword_file = \"keys/broker.password\"\n", quoted(user));
    const std::string toml = fmt::format(
        "[cabinet]\nid = {}\nname = {}\nplace = {}\nhelp = {}\n\n[state]\nfolder = "
        "\"/var/lib/lockerd\"\ncontrol_socket = \"/run/lockerd/control.sock\"\n\n[keys]\ncabinet = "
        "\"keys/cabinet.key\"\nissuers = \"keys/issuers.json\"\n\n[mqtt]\nuri = {}\n{}",
        quoted(text(cabinet, "id")), quoted(text(cabinet, "name")), quoted(text(cabinet, "place")),
        quoted(text(cabinet, "help")), quoted(text(broker, "uri", 1024)), account);
    fs::create_directories(keys);
    fs::permissions(keys, fs::perms::owner_all);
    if (replace) {
        check_same(config.string(), text(cabinet, "id"));
        if (const auto there = read_text_file(in_keys[0].string()); there && there->starts_with(key)) {
            throw std::runtime_error(in_keys[0].string() + " is that key already: nothing was written");
        }
    }
    put_file(in_keys[0], key + "\n", 0600);
    put_file(in_keys[1], ring + "\n", 0644);
    if (!user.empty()) {
        put_file(in_keys[2], password + "\n", 0600);
    }
    if (replace) {
        std::cout << fmt::format(
            "The keys in {} are new; what was there is kept as *.before. The previous key, if {} names one, is no "
            "longer "
            "wanted. Delete the bundle: it holds the cabinet's key.\n",
            keys.string(), config.string());
        return 0;
    }
    write_new_file(config.string(), toml, 0644);
    std::cout << fmt::format(
        "{0} is written, with keys in {1}. Next: lockerctl commission --config {0} --device /dev/serial/by-id/…\n"
        "Delete the bundle: it holds the cabinet's key.\n",
        config.string(), keys.string());
    return 0;
}

}  // namespace locker
