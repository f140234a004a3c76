#include "daemon/app/config.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "daemon/app/front_config.hpp"
#include "hal/config/key_files.hpp"
#include "hal/config/section.hpp"
#include "protocol/json.hpp"
#include "protocol/limits.hpp"
#include "protocol/topic.hpp"

namespace locker {
namespace {

// mqtt://host:port, mqtts://host:port; the port may be left out.
bool is_broker_uri(std::string_view uri) {
    for (const std::string_view scheme : {"mqtt://", "mqtts://"}) {
        if (!uri.starts_with(scheme)) {
            continue;
        }
        const auto rest = uri.substr(scheme.size());
        const auto colon = rest.rfind(':');
        if (colon == std::string_view::npos || rest.ends_with(']')) {
            return !rest.empty() && rest.find('/') == std::string_view::npos;
        }
        int port = 0;
        const auto [end, error] = std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
        return colon > 0 && error == std::errc{} && end == rest.data() + rest.size() && port >= 1 && port <= 65535;
    }
    return false;
}

class config_reader {
public:
    config_reader(const toml::table& root, std::filesystem::path folder)
        : folder_(std::move(folder)), root_(&root, "", 0, errors_) {}

    std::variant<settings, std::vector<config_error>> read() {
        read_cabinet();
        read_state();
        read_keys();
        read_profiles();
        read_buses();
        read_boards();
        read_locks();
        read_compartments();
        read_front(
            root_, wired_, [this](const std::string& given) { return path(given); }, out_);
        read_mqtt();
        read_home_assistant();
        read_clock();
        read_policy();
        read_ledger();
        root_.no_others();
        if (!errors_.empty()) {
            std::stable_sort(errors_.begin(), errors_.end(),
                             [](const auto& a, const auto& b) { return a.line < b.line; });
            return errors_;
        }
        return std::move(out_);
    }

private:
    std::string path(const std::string& given) const { return path_in(folder_, given); }

    void read_cabinet() {
        auto s = root_.table("cabinet");
        const auto id = s.text("id", true);
        if (id && !is_name(*id)) {
            s.wrong("id", "1 to 64 of A-Z a-z 0-9 _ - are wanted: it stands in topics");
        }
        out_.cabinet.id = id.value_or("");
        out_.cabinet.name = s.text("name", false).value_or(out_.cabinet.id);
        out_.cabinet.place = s.text("place", false).value_or("");
        out_.cabinet.help = s.text("help", false).value_or("");
        s.no_others();
    }

    void read_state() {
        auto s = root_.table("state");
        out_.state_folder = path(s.text("folder", true, 4096).value_or("."));
        std::error_code unreadable;
        if (std::filesystem::exists(out_.state_folder, unreadable) &&
            !std::filesystem::is_directory(out_.state_folder, unreadable)) {
            s.wrong("folder", out_.state_folder + " is not a folder");
        }
        out_.state_must_exist = out_.cabinet.in_service = s.flag("must_exist", false);
        out_.control_socket = path(s.text("control_socket", false, 100).value_or(out_.state_folder + "/control.sock"));
        s.no_others();
    }

    void read_keys() {
        auto s = root_.table("keys");
        for (const auto* name : {"cabinet", "cabinet_previous"}) {
            if (const auto file = key_file(s, name, std::string_view(name) == "cabinet", folder_)) {
                if (const auto key = read_cabinet_key(*file)) {
                    out_.cabinet.cabinet_keys.push_back(*key);
                } else {
                    s.wrong(name, key.error().what);
                }
            }
        }
        const auto& keys = out_.cabinet.cabinet_keys;
        if (keys.size() == 2 && keys[0] == keys[1]) {
            s.wrong("cabinet_previous", "is the same key as cabinet; leave it out unless a rotation is under way");
        }
        if (const auto file = key_file(s, "issuers", true, folder_)) {
            if (auto ring = read_key_ring(*file)) {
                out_.cabinet.ring = std::move(*ring);
                if (out_.cabinet.ring.keys.empty()) {
                    out_.warnings.push_back(*file + " holds no key: no grant can be verified");
                }
            } else {
                s.wrong("issuers", ring.error().what);
            }
        }
        if (const auto file = key_file(s, "root", false, folder_)) {
            if (auto root = read_root_key(*file)) {
                if (out_.cabinet.ring.find(root->kid) != nullptr) {
                    s.wrong("root", fmt::format("its kid \"{}\" is also that of a key in issuers", root->kid));
                }
                out_.cabinet.root = std::move(*root);
            } else {
                s.wrong("root", root.error().what);
            }
        }
        s.no_others();
    }

    void add_profile(std::string_view text, const std::string& from, section& s) {
        auto parsed = parse_profile(text);
        if (const auto* wrong = std::get_if<std::vector<std::string>>(&parsed)) {
            for (const auto& what : *wrong) {
                s.wrong("folder", fmt::format("{}: {}", from, what));
            }
            return;
        }
        const auto& p = std::get<board_profile>(parsed);
        const auto [known, fresh] = profile_files_.emplace(p.name, from);
        if (!fresh) {
            s.wrong("folder", fmt::format("{}: name: \"{}\" is that of {} already", from, p.name, known->second));
        }
        profiles_[p.name] = p;
    }

    void read_profiles() {
        auto s = root_.table("profiles");
        for (const auto& builtin : builtin_profile_texts()) {
            add_profile(builtin.text, std::string(builtin.file), s);
        }
        if (const auto given = s.text("folder", false, 4096)) {
            std::error_code error;
            for (const auto& file : std::filesystem::directory_iterator(path(*given), error)) {
                if (file.path().extension() == ".toml") {
                    const auto text = read_text_file(file.path().string());
                    add_profile(text ? *text : "", file.path().string(), s);
                }
            }
            if (error) {
                s.wrong("folder", fmt::format("{} cannot be read: {}", path(*given), error.message()));
            }
        }
        s.no_others();
    }

    void read_buses() {
        std::map<std::string, std::string> lines;  // and the bus
        for (auto& s : root_.tables("bus")) {
            bus_settings bus;
            bus.line.name = s.text("name", true).value_or("");
            if (find_bus(bus.line.name) != nullptr) {
                s.wrong("name", fmt::format("\"{}\" stands twice", bus.line.name));
            }
            const auto device = s.text("device", false, 4096);
            const auto tcp = s.text("tcp", false);
            if (device.has_value() == tcp.has_value()) {
                s.wrong(device ? "tcp" : "device", "either device = \"/dev/…\" or tcp = \"host:port\" is wanted");
            }
            bus.line.baud = read_baud(s);
            const auto parity = s.choice("parity", {"none", "even", "odd"}, false).value_or(0);
            bus.line.parity = "NEO"[parity];
            bus.line.rs485 = s.flag("rs485", false);
            if (device) {
                bus.line.device = path(*device);
            }
            if (tcp) {
                if (const auto where = host_and_port(*tcp)) {
                    bus.line.host = where->host;
                    bus.line.port = where->port;
                } else {
                    s.wrong("tcp", fmt::format("\"{}\": \"host:port\" is wanted, with a port from 1 to 65535", *tcp));
                }
                for (const auto* serial : {"baud", "parity", "rs485"}) {
                    if (s.has(serial)) {
                        s.wrong(serial,
                                fmt::format("{} belongs to a serial line; with tcp it is set in the gateway", serial));
                    }
                }
            }
            const auto [line, fresh] = lines.emplace(device ? bus.line.device : tcp.value_or(""), bus.line.name);
            if (!fresh) {
                s.wrong(device ? "device" : "tcp", fmt::format("bus \"{}\" uses this line already", line->second));
            }
            s.no_others();
            out_.buses.push_back(std::move(bus));
        }
        if (out_.buses.empty()) {
            errors_.push_back({0, "bus", "at least one [[bus]] is wanted"});
        }
    }

    bus_settings* find_bus(const std::string& name) {
        const auto at =
            std::find_if(out_.buses.begin(), out_.buses.end(), [&](const auto& b) { return b.line.name == name; });
        return at == out_.buses.end() ? nullptr : &*at;
    }

    void read_boards() {
        std::set<std::pair<std::string, std::int64_t>> addresses;
        for (auto& s : root_.tables("board")) {
            bus_board b;
            b.name = s.text("name", true).value_or("");
            if (!b.name.empty() && (!is_name(b.name) || wired_.boards.count(b.name) != 0)) {
                s.wrong("name", wired_.boards.count(b.name) != 0 ? fmt::format("board \"{}\" stands twice", b.name)
                                                                 : "1 to 64 of A-Z a-z 0-9 _ - are wanted");
            }
            const auto bus_name =
                s.text("bus", out_.buses.size() != 1).value_or(out_.buses.empty() ? "" : out_.buses[0].line.name);
            auto* bus = find_bus(bus_name);
            if (bus == nullptr && !bus_name.empty()) {
                s.wrong("bus", fmt::format("there is no [[bus]] \"{}\"", bus_name));
            }
            const auto address = s.number("address", true, 1, 247).value_or(0);
            b.address = static_cast<int>(address);
            if (address != 0 && !addresses.emplace(bus_name, address).second) {
                s.wrong("address", fmt::format("another board has address {} on bus \"{}\"", address, bus_name));
            }
            const auto profile = s.text("profile", true).value_or("");
            const auto at = profiles_.find(profile);
            if (at != profiles_.end()) {
                b.profile = at->second;
            } else if (!profile.empty()) {
                std::vector<std::string> names;
                for (const auto& [name, p] : profiles_) {
                    names.push_back(name);
                }
                s.wrong("profile", fmt::format("\"{}\" is not known; there are: {}", profile, fmt::join(names, ", ")));
            }
            s.no_others();
            if (bus != nullptr && !bus->line.device.empty() && !b.profile.name.empty() &&
                bus->line.baud != b.profile.baud) {
                out_.warnings.push_back(
                    fmt::format("board \"{}\": {} speaks {} baud from the factory, bus \"{}\" {}: set the "
                                "board's speed to the bus's",
                                b.name, b.profile.name, b.profile.baud, bus_name, bus->line.baud));
            }
            if (b.profile.pulse == pulse_kind::on_off) {
                out_.warnings.push_back(fmt::format(
                    "board \"{}\" ({}) has no timer of its own: lockerd switches its coils off, and should it "
                    "be killed within a pulse, that coil stays on until lockerd starts again",
                    b.name, b.profile.name));
            }
            b.index = static_cast<int>(out_.cabinet.boards.size());
            out_.cabinet.boards.push_back(b.name);
            wired_.boards[b.name] = {b, bus_name};
            if (bus != nullptr) {
                bus->boards.push_back(b);
            }
        }
    }

    void read_locks() {
        auto s = root_.table("lock");
        limits_.pulse_ms = s.number("pulse_ms", false, 50, 5000).value_or(limits_.pulse_ms);
        limits_.pulse_max_ms = std::max<std::int64_t>(limits_.pulse_ms, 1000);
        limits_.cool_down_ms = s.number("cool_down_ms", false, 0, 60'000).value_or(limits_.cool_down_ms);
        limits_.pulses_per_minute =
            static_cast<int>(s.number("pulses_per_minute", false, 1, 60).value_or(limits_.pulses_per_minute));
        if (s.flag("energise_to_lock", false)) {
            s.wrong("energise_to_lock",
                    "locks that hold when energised are not driven: a power cut would open them all");
        }
        s.no_others();
    }

    void read_compartments() {
        std::map<int, int> numbers;
        for (auto& s : root_.tables("compartment")) {
            core::compartment_config c;
            bus_lock lock;
            c.number = static_cast<int>(s.number("number", true, 1, limits::compartment_max).value_or(0));
            if (c.number != 0 && !numbers.emplace(c.number, 0).second) {
                s.wrong("number", fmt::format("door {} stands twice", c.number));
            }
            c.size = static_cast<box_size>(s.choice("size", {"S", "M", "L"}, false).value_or(0));
            c.accessible = s.flag("accessible", false);
            lock.compartment = c.number;
            lock.limits = limits_;
            lock.supply = static_cast<int>(s.number("supply", false, 1, 64).value_or(1));
            std::string bus;
            if (const auto relay = s.channel("relay", true)) {
                if (const auto* board = wired_.check(s, "relay", *relay, true)) {
                    wired_.claim_relay(s, *relay, fmt::format("door {}", c.number));
                    if (board->profile.pulse_unit_ms > 0 && limits_.pulse_ms % board->profile.pulse_unit_ms != 0) {
                        s.wrong("relay",
                                fmt::format("board \"{}\" counts pulses in steps of {} ms; [lock] pulse_ms = {} "
                                            "is none of them",
                                            relay->board, board->profile.pulse_unit_ms, limits_.pulse_ms));
                    }
                    if (board->profile.longest_pulse_ms() > 0 && limits_.pulse_ms > board->profile.longest_pulse_ms()) {
                        s.wrong("relay",
                                fmt::format("board \"{}\" pulses for {} ms at most; [lock] pulse_ms = {} is longer",
                                            relay->board, board->profile.longest_pulse_ms(), limits_.pulse_ms));
                    }
                    c.relay_board = board->index;
                    lock.relay_board = board->index;
                    lock.relay_channel = relay->channel - 1;
                    bus = wired_.boards.at(relay->board).second;
                }
            }
            const auto said = s.choice("contact", {"none", "door", "latch"}, true);
            const auto contact = said.value_or(0);
            c.contact = static_cast<core::contact_kind>(contact);
            const auto closed = s.choice("closed", {"on", "off"}, false).value_or(0);
            c.closed_level = closed == 0;
            if (const auto input = s.channel("input", contact != 0)) {
                if (said && contact == 0) {
                    s.wrong("input", "contact = \"none\" has no input; remove one of them");
                }
                if (const auto* board = wired_.check(s, "input", *input, false)) {
                    wired_.contacts[std::pair(input->board, input->channel)].push_back(c.number);
                    c.contact_board = board->index;
                    c.contact_channel = input->channel - 1;
                    lock.contact_board = wired_.boards.at(input->board).second == bus ? board->index : -1;
                }
            }
            s.no_others();
            if (auto* owner = find_bus(bus)) {
                owner->locks.push_back(lock);
            }
            out_.cabinet.compartments.push_back(c);
        }
        if (out_.cabinet.compartments.empty()) {
            errors_.push_back({0, "compartment", "at least one [[compartment]] is wanted"});
        }
        for (const auto& [channel, doors] : wired_.contacts) {
            if (doors.size() < 2) {
                continue;
            }
            out_.warnings.push_back(
                fmt::format("board {} input {} is shared by doors {}: it proves nothing for any of them", channel.first,
                            channel.second, fmt::join(doors, ", ")));
            for (auto& c : out_.cabinet.compartments) {
                if (std::find(doors.begin(), doors.end(), c.number) != doors.end()) {
                    c.contact = core::contact_kind::none;
                }
            }
        }
    }

    void read_mqtt() {
        auto s = root_.table("mqtt");
        auto& b = out_.broker;
        b.uri = s.text("uri", true).value_or("");
        if (!b.uri.empty() && !is_broker_uri(b.uri)) {
            s.wrong("uri", fmt::format("\"{}\": mqtt://host:port or mqtts://host:port is wanted", b.uri));
        }
        b.version = s.choice("version", {"5", "3.1.1"}, false).value_or(0) == 0 ? 5 : 4;
        b.username = s.text("username", false).value_or("");
        if (const auto file = key_file(s, "password_file", false, folder_)) {
            if (auto password = read_secret_line(*file)) {
                b.password = std::move(*password);
            } else {
                s.wrong("password_file", password.error().what);
            }
        }
        if (const auto file = key_file(s, "ca_file", false, folder_)) {
            b.ca_file = *file;
            const auto pem = read_text_file(b.ca_file);
            if (!pem) {
                s.wrong("ca_file", pem.error().what);
            } else if (pem->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
                s.wrong("ca_file", b.ca_file + " holds no certificate in PEM form");
            }
        }
        b.keep_alive_s = static_cast<int>(s.number("keep_alive_s", false, 2, 600).value_or(10));
        out_.cabinet.rules.verify = s.flag("verify", false);
        out_.shown.metrics_every_ms = s.number("metrics_every_s", false, 1, 3600).value_or(60) * 1000;
        s.no_others();
        const topics t(out_.cabinet.id);
        b.client_id = "locker-" + out_.cabinet.id;
        b.payload_max = limits::payload_bytes;
        b.will_topic = t.status();
        b.subscriptions = {t.command_filter(), t.status(), t.alarm("+"), t.alarm("+", "+")};
    }

    // Absent: nothing is said on topics that are not ours. false: what was published there before is removed.
    void read_home_assistant() {
        if (!root_.has("home_assistant")) {
            return;
        }
        auto s = root_.table("home_assistant");
        auto& wish = out_.shown.home_assistant;
        using choice = home_assistant_settings::wish;
        wish.discovery = s.flag("discovery", true) ? choice::published : choice::removed;
        if (auto prefix = s.text("prefix", false)) {
            if (prefix->empty() || prefix->front() == '$' || prefix->find_first_of("+#") != std::string::npos) {
                s.wrong("prefix", "a topic is wanted, without + and #; Home Assistant's own is homeassistant");
            }
            wish.prefix = std::move(*prefix);
        }
        s.no_others();
        if (wish.discovery == choice::published) {
            out_.broker.wishes.push_back(wish.birth_topic());
        }
    }

    void read_clock() {
        auto s = root_.table("clock");
        out_.battery_backed_clock = s.flag("battery_backed", false);
        out_.cabinet.rules.grants_need_clock = s.flag("grants_need_clock", false);
        s.no_others();
    }

    void read_policy() {
        auto s = root_.table("policy");
        auto& r = out_.cabinet.rules;
        const auto seconds = [&](std::string_view key, std::int64_t& into, std::int64_t low, std::int64_t high) {
            if (const auto value = s.number(key, false, low, high)) {
                into = *value * 1000;
            }
        };
        seconds("reservation_s", r.reservation, 1, 86'400);
        seconds("held_open_s", r.held_open, 1, 86'400);
        seconds("overdue_intake_s", r.overdue_intake, 1, 366LL * 86'400);
        seconds("overdue_return_s", r.overdue_return, 1, 366LL * 86'400);
        seconds("unconfirmed_s", r.unconfirmed, 1, 86'400);
        seconds("reminder_s", r.reminder, 0, 366LL * 86'400);
        seconds("reclaimed_known_s", r.reclaimed_known, 0, 366LL * 86'400);
        r.pairs =
            static_cast<core::two_persons>(s.choice("two_persons", {"never", "occupied", "always"}, false).value_or(0));
        r.open_within = s.number("open_within_ms", false, 500, 3000).value_or(r.open_within);
        s.no_others();
    }

    // Bounds: a shorter memory than 400 days would lose what an audit asks for; a row is half a KiB (docs/operate.md).
    void read_ledger() {
        auto s = root_.table("ledger");
        auto& r = out_.cabinet.rules;
        r.ledger_keep = s.number("keep_days", false, 400, 36'500).value_or(r.ledger_keep / core::day) * core::day;
        r.ledger_rows = static_cast<std::uint64_t>(
            s.number("keep_rows", false, 10'000, 100'000'000).value_or(static_cast<std::int64_t>(r.ledger_rows)));
        s.no_others();
    }

    std::filesystem::path folder_;
    std::vector<config_error> errors_;
    section root_;
    settings out_;
    std::map<std::string, board_profile> profiles_;
    std::map<std::string, std::string> profile_files_;  // by the profile's name
    wired_channels wired_;
    lock_limits limits_;
};

}  // namespace

std::variant<settings, std::vector<config_error>> read_config(const std::string& file) {
    const auto read = read_table(file);
    if (const auto* wrong = std::get_if<std::vector<config_error>>(&read)) {
        return *wrong;
    }
    return config_reader(std::get<toml::table>(read), std::filesystem::absolute(file).parent_path()).read();
}

}  // namespace locker
