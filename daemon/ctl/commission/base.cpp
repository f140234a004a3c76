#include "daemon/ctl/commission/base.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "hal/config/key_files.hpp"
#include "hal/config/section.hpp"
#include "hal/store/sqlite_store.hpp"
#include "protocol/topic.hpp"

namespace locker {

namespace fs = std::filesystem;

namespace {

std::string fresh_configuration(const commission_options& o) {
    if (o.cabinet.empty() || o.broker.empty()) {
        throw refused(
            fmt::format("{} does not exist: for a new one give --cabinet ID and --broker mqtt://host:port", o.config));
    }
    return fmt::format(
        "[cabinet]\nid = \"{}\"\n# name, place, help: what people are shown, see configuration.md\n\n[state]\nfolder = "
        "\"/var/lib/lockerd\"\n"
        "control_socket = \"/run/lockerd/control.sock\"\n\n[keys]\ncabinet = \"keys/cabinet.key\"\nissuers = "
        "\"keys/issuers.json\"\nroot = \"keys/root.json\"\n\n[mqtt]\nuri = \"{}\"\n",
        o.cabinet, o.broker);
}

// Two lengths may be tried on one lock, and a third confirms: more than in service.
constexpr int pulses_a_minute = 12;

line_settings line_of(const toml::table& t, const fs::path& folder) {
    line_settings line;
    line.name = t["name"].value_or("line1");
    const std::string device = t["device"].value_or("");
    line.device = device.empty() || fs::path(device).is_absolute() ? device : (folder / device).string();
    line.baud = t["baud"].value_or(9600);
    const std::string parity = t["parity"].value_or("none");
    line.parity = parity == "even" ? 'E' : parity == "odd" ? 'O' : 'N';
    line.rs485 = t["rs485"].value_or(false);
    const std::string tcp = t["tcp"].value_or("");
    if (const auto where = host_and_port(tcp)) {
        line.host = where->host;
        line.port = where->port;
    } else if (!tcp.empty()) {
        throw refused(fmt::format("tcp {}: \"host:port\" is wanted, with a port from 1 to 65535", tcp));
    }
    return line;
}

}  // namespace

base read_base(const commission_options& o) {
    base b;
    const fs::path file = fs::absolute(o.config);
    const fs::path folder = file.parent_path();
    if (fs::exists(file)) {
        const auto text = read_text_file(file.string());
        if (!text) {
            throw refused(text.error().what);
        }
        b.text = *text;
    } else {
        b.text = fresh_configuration(o);
    }
    toml::table t;
    try {
        t = toml::parse(b.text);
    } catch (const toml::parse_error& e) {
        throw refused(fmt::format("{}:{}: {}", o.config, e.source().begin.line, std::string(e.description())));
    }
    const auto path = [&](const std::string& given) {
        return fs::path(given).is_absolute() ? fs::path(given) : folder / given;
    };
    b.cabinet = t["cabinet"]["id"].value_or("");
    if (!o.cabinet.empty() && o.cabinet != b.cabinet) {
        throw refused(fmt::format("{} is of cabinet \"{}\", not \"{}\"", o.config, b.cabinet, o.cabinet));
    }
    if (const std::string uri = t["mqtt"]["uri"].value_or(""); !o.broker.empty() && o.broker != uri) {
        throw refused(fmt::format("{} says broker \"{}\", not \"{}\": mend it there", o.config, uri, o.broker));
    }
    if (o.first > o.last) {
        throw refused(fmt::format("--first {} is beyond --last {}", o.first, o.last));
    }
    if (!is_name(b.cabinet)) {
        throw refused(fmt::format("{}: cabinet.id: 1 to 64 of A-Z a-z 0-9 _ - in quotes are wanted", o.config));
    }
    if (::access(folder.c_str(), W_OK) != 0) {
        throw refused(fmt::format("{} cannot be written: {}", folder.string(), std::strerror(errno)));
    }
    b.state_folder = path(t["state"]["folder"].value_or("/var/lib/lockerd"));
    const std::string key = t["keys"]["cabinet"].value_or("keys/cabinet.key");
    const bool credential = key.starts_with(credential_prefix);
    b.cabinet_key =
        credential ? fs::path(credential_file(key.substr(credential_prefix.size())).value_or("")) : path(key);
    b.limits.pulse_ms = b.limits.pulse_max_ms = o.pulse_max;
    b.limits.cool_down_ms = t["lock"]["cool_down_ms"].value_or(o.cool_down);
    b.limits.pulses_per_minute = t["lock"]["pulses_per_minute"].value_or(pulses_a_minute);
    const auto tables = [&](const char* name) {
        std::vector<const toml::table*> out;
        if (const auto* list = t[name].as_array()) {
            for (const auto& item : *list) {
                if (item.as_table() != nullptr) {
                    out.push_back(item.as_table());
                }
            }
        }
        return out;
    };
    for (const auto* c : tables("compartment")) {
        const int number = (*c)["number"].value_or(0);
        const std::string contact = (*c)["contact"].value_or("door");
        b.kept[number] = {(*c)["size"].value_or(""), (*c)["accessible"].value_or(false),
                          (*c)["supply"].value_or(std::int64_t{1}), contact == "latch" ? "latch" : "door"};
        if (const auto relay = (*c)["relay"]; relay.is_table()) {
            b.numbers[{relay["board"].value_or(""), relay["channel"].value_or(0)}] = number;
        }
    }
    for (const auto* board : tables("board")) {
        const std::string bus = (*board)["bus"].value_or("");
        b.names[{bus, (*board)["address"].value_or(0)}] = (*board)["name"].value_or("");
    }
    for (const auto* out : tables("output")) {
        b.spoken_for.emplace((*out)["relay"]["board"].value_or(""), (*out)["relay"]["channel"].value_or(0));
    }
    for (const auto* in : tables("sensor")) {
        b.sensors.emplace((*in)["input"]["board"].value_or(""), (*in)["input"]["channel"].value_or(0));
    }
    const std::string profiles = t["profiles"]["folder"].value_or("");
    b.profiles = profiles.empty() ? "" : path(profiles).string();
    if (b.profiles.empty() && !o.profiles.empty()) {
        b.bus_tables += fmt::format("\n[profiles]\nfolder = \"{}\"\n", fs::absolute(o.profiles).string());
    }
    for (const auto* bus : tables("bus")) {
        if ((*bus)["name"].value_or("") == std::string()) {
            throw refused(fmt::format("{}: bus.name is missing", o.config));
        }
        b.lines.push_back(line_of(*bus, folder));
    }
    if (!o.device.empty() && !o.tcp.empty()) {
        throw refused("--device and --tcp: one of the two");
    }
    if (!o.device.empty() || !o.tcp.empty()) {
        const auto same = [&](const line_settings& l) {
            return o.tcp.empty() ? l.device == o.device : fmt::format("{}:{}", l.host, l.port) == o.tcp;
        };
        if (!b.lines.empty() && std::none_of(b.lines.begin(), b.lines.end(), same)) {
            throw refused(fmt::format("{} says another line than {}: mend its [[bus]], or leave --device and --tcp out",
                                      o.config, o.tcp.empty() ? o.device : o.tcp));
        }
    }
    if (b.lines.empty() && (!o.device.empty() || !o.tcp.empty())) {
        const std::string table =
            o.tcp.empty() ? fmt::format("device = \"{}\"\nbaud = {}\nparity = \"{}\"\n", o.device, o.baud, o.parity)
                          : fmt::format("tcp = \"{}\"\n", o.tcp);
        b.bus_tables += "\n[[bus]]\nname = \"line1\"\n" + table;
        b.lines.push_back(line_of(toml::parse("name = \"line1\"\n" + table), folder));
    }
    if (b.lines.empty()) {
        throw refused("no line is known: give --device /dev/serial/by-id/… or --tcp host:port");
    }
    return b;
}

std::vector<board_profile> read_profiles(const commission_options& o, const base& b) {
    std::vector<board_profile> out;
    const auto add = [&](std::string_view text, const std::string& from) {
        auto parsed = parse_profile(text);
        if (const auto* wrong = std::get_if<std::vector<std::string>>(&parsed)) {
            throw refused(from + ": " + wrong->front());
        }
        out.push_back(std::get<board_profile>(std::move(parsed)));
    };
    for (const auto& builtin : builtin_profile_texts()) {
        add(builtin.text, std::string(builtin.file));
    }
    const std::string more = o.profiles.empty() ? b.profiles : o.profiles;
    if (!more.empty()) {
        for (const auto& file : fs::directory_iterator(more)) {
            if (file.path().extension() == ".toml") {
                const auto text = read_text_file(file.path().string());
                add(text ? *text : "", file.path().string());
            }
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& one, const auto& other) { return one.name < other.name; });
    return out;
}

void refuse_in_service(const base& b) {
    const auto file = b.state_folder / "locker.db";
    if (!fs::exists(file)) {
        return;
    }
    const sqlite_store store(file.string(), sqlite_store::mode::read_only);
    int waiting = 0;
    for (const auto& [id, text] : store.all("deposit")) {
        const auto state = std::string(boost::json::parse(text).at("state").as_string());
        waiting += state == "reserved" || state == "deposited" || state == "confirmed" ? 1 : 0;
    }
    int suspected = 0;
    for (const auto& [number, text] : store.all("compartment")) {
        suspected += boost::json::parse(text).at("suspicion").as_string().empty() ? 0 : 1;
    }
    if (waiting + suspected > 0) {
        throw refused(
            fmt::format("this cabinet is in service: {} deposits lie in it or are on their way, {} compartments are "
                        "suspected. Nothing is opened here. --verify walks it while lockerd runs; or have it "
                        "emptied and settled first",
                        waiting, suspected));
    }
}

void give_to_daemon(const fs::path& file, const fs::path& state_folder) {
    struct stat folder {};
    if (::geteuid() != 0 || ::stat(state_folder.c_str(), &folder) != 0) {
        return;
    }
    uid_t user = folder.st_uid;
    gid_t group = folder.st_gid;
    if (const auto* daemon = user == 0 ? ::getpwnam("lockerd") : nullptr; daemon != nullptr) {
        user = daemon->pw_uid;
        group = daemon->pw_gid;
    }
    (void)!::lchown(file.c_str(), user, group);
}

// Whoever owns the folder may be less trusted than who calls: no link is followed, no file of another written.
void write_whole(const fs::path& given, const std::string& text) {
    std::error_code none;
    const fs::path file = fs::exists(given, none) ? fs::canonical(given) : given;  // a configuration may be a link
    struct stat before {};
    const bool known = ::stat(file.c_str(), &before) == 0;
    std::string fresh = file.string() + ".XXXXXX";
    const int fd = ::mkostemp(fresh.data(), O_CLOEXEC);
    const bool written = fd >= 0 && ::fchmod(fd, known ? before.st_mode & 07777U : 0644U) == 0 &&
                         (!known || ::geteuid() != 0 || ::fchown(fd, before.st_uid, before.st_gid) == 0) &&
                         ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    if (fd >= 0) {
        ::close(fd);
    }
    if (!written) {
        const int why = errno;
        ::unlink(fresh.c_str());
        throw std::runtime_error(fmt::format("{} cannot be written: {}", file.string(), std::strerror(why)));
    }
    fs::rename(fresh, file);
    const int folder = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        (void)::fsync(folder);
        ::close(folder);
    }
}

}  // namespace locker
