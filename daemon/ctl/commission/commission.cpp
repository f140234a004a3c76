#include "daemon/ctl/commission/commission.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <list>
#include <set>
#include <stdexcept>

#include "daemon/app/config.hpp"
#include "daemon/app/files.hpp"
#include "daemon/ctl/commission/lines.hpp"
#include "daemon/ctl/commission/screen.hpp"
#include "daemon/ctl/commission/wiring.hpp"
#include "hal/store/sqlite_store.hpp"
#include "hal/system/exclusive.hpp"
#include "protocol/code.hpp"
#include "protocol/crypto.hpp"
#include "protocol/limits.hpp"

namespace locker {
namespace {

namespace fs = std::filesystem;
using boost::json::object;

constexpr int exit_refused = 1;
constexpr int exit_interrupted = 130;
constexpr std::int64_t cool_down_ms = 1500;  // a coil rests so long after its pulse
constexpr std::int64_t nothing_moves_ms = 1300;
constexpr std::int64_t still_ms = 300;  // a contact that is quiet for so long has come to rest
constexpr std::int64_t shut_within_ms = 120'000;
constexpr std::int64_t supply_rest_ms = 200;  // between two coils of one supply

volatile std::sig_atomic_t interrupted = 0;

struct stopped : std::runtime_error {
    stopped() : std::runtime_error("interrupted") {}
};
struct refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void heed() {
    if (interrupted != 0) {
        throw stopped();
    }
}

void write_whole(const fs::path& file, const std::string& text) {
    const fs::path fresh = file.string() + ".new";
    std::ofstream out(fresh, std::ios::binary);
    out << text;
    out.flush();
    if (!out) {
        throw std::runtime_error(fmt::format("{} cannot be written", fresh.string()));
    }
    out.close();
    fs::rename(fresh, file);
}

// What of the configuration does not depend on the wiring.
struct base {
    std::string text;
    std::string cabinet;
    fs::path state_folder;
    fs::path cabinet_key;
    std::vector<line_settings> lines;
    std::string bus_tables;  // to be added: it had none
    std::map<int, door_kept> kept;
    std::map<std::pair<std::string, int>, std::string> names;  // of boards, by bus and address
    std::set<std::pair<std::string, int>> spoken_for;  // relays of lamps and buzzers: by board and channel, from 1
};

std::string fresh_configuration(const commission_options& o) {
    if (o.cabinet.empty() || o.broker.empty()) {
        throw refused(
            fmt::format("{} does not exist: for a new one give --cabinet ID and --broker mqtt://host:port", o.config));
    }
    return fmt::format(
        "[cabinet]\nid = \"{}\"\nname = \"\"\nplace = \"\"\nhelp = \"\"\n\n[state]\nfolder = \"/var/lib/lockerd\"\n"
        "control_socket = \"/run/lockerd/control.sock\"\n\n[keys]\ncabinet = \"keys/cabinet.key\"\nissuers = "
        "\"keys/issuers.json\"\nroot = \"keys/root.json\"\n\n[mqtt]\nuri = \"{}\"\n",
        o.cabinet, o.broker);
}

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
    const auto colon = tcp.rfind(':');
    if (!tcp.empty() && colon != std::string::npos) {
        line.host = tcp.substr(0, colon);
        line.port = std::atoi(tcp.c_str() + colon + 1);
    }
    return line;
}

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
    b.state_folder = path(t["state"]["folder"].value_or("/var/lib/lockerd"));
    b.cabinet_key = path(t["keys"]["cabinet"].value_or("keys/cabinet.key"));
    const auto tables = [&](const char* name) {
        std::vector<const toml::table*> out;
        if (const auto* list = t[name].as_array()) {
            for (const auto& item : *list) {
                out.push_back(item.as_table());
            }
        }
        return out;
    };
    for (const auto* c : tables("compartment")) {
        b.kept[(*c)["number"].value_or(0)] = {(*c)["size"].value_or(""), (*c)["accessible"].value_or(false),
                                              (*c)["supply"].value_or(std::int64_t{1})};
    }
    for (const auto* board : tables("board")) {
        const std::string bus = (*board)["bus"].value_or("");
        b.names[{bus, (*board)["address"].value_or(0)}] = (*board)["name"].value_or("");
    }
    for (const auto* out : tables("output")) {
        b.spoken_for.emplace((*out)["relay"]["board"].value_or(""), (*out)["relay"]["channel"].value_or(0));
    }
    for (const auto* bus : tables("bus")) {
        b.lines.push_back(line_of(*bus, folder));
    }
    if (!o.device.empty() || !o.tcp.empty()) {
        if (!b.lines.empty()) {
            throw refused(
                fmt::format("{} has a [[bus]] already: --device and --tcp are for one that has none", o.config));
        }
        const std::string table =
            o.tcp.empty() ? fmt::format("device = \"{}\"\nbaud = {}\nparity = \"{}\"\n", o.device, o.baud, o.parity)
                          : fmt::format("tcp = \"{}\"\n", o.tcp);
        b.bus_tables = "\n[[bus]]\nname = \"line1\"\n" + table;
        b.lines.push_back(line_of(toml::parse("name = \"line1\"\n" + table), folder));
    }
    if (b.lines.empty()) {
        throw refused("no line is known: give --device /dev/serial/by-id/… or --tcp host:port");
    }
    return b;
}

std::vector<board_profile> read_profiles(const commission_options& o) {
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
    if (!o.profiles.empty()) {
        for (const auto& file : fs::directory_iterator(o.profiles)) {
            if (file.path().extension() == ".toml") {
                const auto text = read_text_file(file.path().string());
                add(text ? *text : "", file.path().string());
            }
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

// Pulses without an authority are for a cabinet in which nothing lies.
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

class run_of {
public:
    run_of(const commission_options& o, base b, cabinet_lines& lines, screen& shown)
        : o_(o), base_(std::move(b)), lines_(lines), shown_(shown) {}

    int all() {
        scan();
        std::vector<std::int64_t> lengths;
        for (const std::int64_t ms : {100, 200, 300, 500, 700, 1000}) {
            if (ms <= o_.pulse_max) {
                lengths.push_back(ms);
            }
        }
        survey learnt(lines_.boards(), lengths);
        const fs::path journal = base_.state_folder / "commission.json";
        if (const auto text = read_text_file(journal.string()); text && !o_.anew) {
            if (learnt.resume(*text)) {
                shown_.say("resumed", "Going on where the last run stopped; --anew begins anew.");
            } else {
                shown_.say("journal", "An earlier run was of other boards: it is left aside.");
            }
        }
        rest(learnt);
        learn(learnt, journal);
        learnt.settle(o_.doors);
        return finish(learnt, journal);
    }

private:
    void scan() {
        lines_.scan(o_.first, o_.last, [&](const std::string& bus, int address) {
            heed();
            shown_.progress(fmt::format("Asking {}: address {} of {} to {}", bus, address, o_.first, o_.last));
        });
        std::set<std::string> taken;
        for (const auto& [where, name] : base_.names) {
            taken.insert(name);
        }
        for (std::size_t i = 0; i < lines_.boards().size(); ++i) {
            const auto& b = lines_.boards()[i];
            auto known = base_.names.find({b.bus, b.address});
            known = known == base_.names.end() && base_.lines.size() == 1 ? base_.names.find({"", b.address}) : known;
            std::string name = known == base_.names.end() ? "" : known->second;
            for (char c = 'A'; name.empty(); ++c) {
                const std::string next = c <= 'Z' ? std::string(1, c) : fmt::format("board{}", i + 1);
                name = taken.count(next) == 0 ? next : "";
            }
            taken.insert(name);
            lines_.rename(i, name);
        }
        for (const auto& b : lines_.boards()) {
            shown_.say("board",
                       fmt::format("Board {}: {} address {}: {}{}", b.name, b.bus, b.address, b.profile.title,
                                   b.firmware.empty() ? "" : ", firmware " + b.firmware),
                       {{"name", b.name},
                        {"bus", b.bus},
                        {"address", b.address},
                        {"profile", b.profile.name},
                        {"firmware", b.firmware}});
        }
        for (const auto& a : lines_.oddities()) {
            found_.push_back(
                a.collision
                    ? finding{"collision",
                              fmt::format(
                                  "{} address {}: two boards answer at once. Take one off the line, give the other "
                                  "an address of its own, and run this again",
                                  a.bus, a.address)}
                    : finding{"unknown_board", fmt::format("{} address {}: {}; a profile of it in --profiles would do",
                                                           a.bus, a.address, a.what)});
            shown_.say("finding", found_.back().text, {{"kind", found_.back().kind}, {"address", a.address}});
        }
        if (lines_.boards().empty()) {
            throw refused(
                fmt::format("no board answers at addresses {} to {}: look at the supply, A and B of the line, the "
                            "speed ({} baud), or ask further by --last",
                            o_.first, o_.last, o_.baud));
        }
    }

    [[nodiscard]] std::uint32_t inputs(std::size_t board) {
        heed();
        std::uint32_t bits = 0;
        if (lines_.boards()[board].profile.inputs > 0 && !lines_.read(board, bits)) {
            throw std::runtime_error(
                fmt::format("board {} does not answer any more; what was learnt so far is kept: call again "
                            "when it does",
                            lines_.boards()[board].name));
        }
        return bits;
    }

    // What contacts read while all doors are shut.
    void rest(survey& learnt) {
        if (!o_.unattended) {
            (void)shown_.ask("Shut every door, then press Enter.");
        }
        for (std::size_t b = 0; b < lines_.boards().size(); ++b) {
            rest_.push_back(inputs(b));
        }
        const std::int64_t end = monotonic_ms() + 1000;
        std::set<board_channel> loose;
        while (monotonic_ms() < end) {
            for (std::size_t b = 0; b < lines_.boards().size(); ++b) {
                const auto changed = inputs(b) ^ rest_[b];
                for (int c = 0; c < 32; ++c) {
                    if (((changed >> static_cast<unsigned>(c)) & 1U) != 0 && loose.insert({b, c}).second) {
                        learnt.unstable({b, c});
                    }
                }
            }
        }
    }

    void learn(survey& learnt, const fs::path& journal) {
        std::map<std::size_t, std::int64_t> free_at;  // monotonic, by lock
        std::int64_t supply_free = 0;
        std::size_t done = 0;
        while (const auto step = learnt.next()) {
            heed();
            const auto& lock = learnt.locks()[step->lock];
            const auto& board = lines_.boards()[lock.relay.board];
            if (base_.spoken_for.count({board.name, lock.relay.channel + 1}) != 0) {  // a lamp or a buzzer
                learnt.saw({step->lock, INT64_MAX, true}, {});
                continue;
            }
            shown_.progress(fmt::format("Relay {} of {}: board {} channel {}, {} ms", step->lock + 1,
                                        learnt.locks().size(), board.name, lock.relay.channel + 1, step->length_ms));
            sleep_ms(std::max(free_at[step->lock], supply_free) - monotonic_ms());
            auto moved = watched(lock.relay, step->length_ms);
            free_at[step->lock] = monotonic_ms() + cool_down_ms;
            supply_free = monotonic_ms() + supply_rest_ms;
            learnt.saw(*step, moved);
            if (learnt.locks()[step->lock].needed_ms > 0) {
                tell(learnt, step->lock);
                number(learnt, step->lock, false);
                wait_shut(learnt.locks()[step->lock]);
                ++done;
            } else if (step->last && !o_.unattended) {
                number(learnt, step->lock, true);
            }
            write_whole(journal, learnt.journal());
        }
        shown_.progress(fmt::format("{} locks were seen to open", done));
    }

    // Pulses, and reads all contacts until those that moved have come to rest.
    std::vector<moved_input> watched(const board_channel& relay, std::int64_t length_ms) {
        // Contacts that are not at rest now (a door that stands open) prove nothing.
        std::vector<std::uint32_t> away;
        for (std::size_t b = 0; b < rest_.size(); ++b) {
            away.push_back(inputs(b) ^ rest_[b]);
        }
        const bool acknowledged = lines_.pulse(relay, length_ms);
        const std::int64_t begun = monotonic_ms();
        std::vector<input_sample> samples;
        std::int64_t changed_at = -1;
        auto last = rest_;
        std::size_t only = rest_.size();  // the board whose contact moves is read back to back
        for (;;) {
            for (std::size_t b = 0; b < rest_.size(); ++b) {
                if (only < rest_.size() && b != only) {
                    continue;
                }
                const auto bits = (inputs(b) & ~away[b]) | (rest_[b] & away[b]);
                const std::int64_t now = monotonic_ms() - begun;
                if (bits != last[b]) {
                    last[b] = bits;
                    changed_at = now;
                    only = b;
                    samples.push_back({now, b, bits});
                }
            }
            const std::int64_t now = monotonic_ms() - begun;
            if ((changed_at < 0 && now > nothing_moves_ms) || (changed_at >= 0 && now > changed_at + still_ms)) {
                break;
            }
        }
        sleep_ms(begun + length_ms - monotonic_ms());
        if (!acknowledged && samples.empty()) {
            shown_.say("warning", fmt::format("board {} did not acknowledge a pulse of channel {}",
                                              lines_.boards()[relay.board].name, relay.channel + 1));
        }
        return what_moved(rest_, samples);
    }

    void tell(const survey& learnt, std::size_t index) {
        const auto& lock = learnt.locks()[index];
        const auto& m = lock.moved.front();
        const auto& boards = lines_.boards();
        shown_.say(
            "lock",
            fmt::format("Relay {} {} opens a door: input {} {} moved after {} ms, chattered {} ms, reads {} while shut",
                        boards[lock.relay.board].name, lock.relay.channel + 1, boards[m.where.board].name,
                        m.where.channel + 1, m.first_ms, m.bounce_ms, m.rest ? "on" : "off"),
            {{"board", boards[lock.relay.board].name},
             {"relay", lock.relay.channel + 1},
             {"input_board", boards[m.where.board].name},
             {"input", m.where.channel + 1},
             {"closed", m.rest ? "on" : "off"},
             {"pulse_ms", lock.needed_ms},
             {"opening_ms", m.first_ms},
             {"bounce_ms", m.bounce_ms}});
        shown_.mark(lock.relay.board, lock.relay.channel, screen::cell::opened);
    }

    // Asks for the number on the door; unattended runs number them at the end.
    void number(survey& learnt, std::size_t index, bool silent) {
        if (silent) {
            const auto& relay = learnt.locks()[index].relay;
            shown_.mark(relay.board, relay.channel, screen::cell::silent);
        }
        if (o_.unattended) {
            return;
        }
        const int next = learnt.next_number();
        for (;;) {
            const std::string said =
                shown_.ask(silent ? "No contact moved. Did a door open? Its number, or Enter for none: "
                                  : fmt::format("The number on the door that opened [{}]: ", next));
            if (said.empty()) {
                if (!silent) {
                    learnt.name_door(index, next, false);
                }
                return;
            }
            char* end = nullptr;
            const long number = std::strtol(said.c_str(), &end, 10);
            const bool twice = number > 0 && std::any_of(learnt.locks().begin(), learnt.locks().end(),
                                                         [&](const auto& l) { return l.number == number; });
            if (*end == 0 && number >= 1 && number <= limits::compartment_max && !twice) {
                learnt.name_door(index, static_cast<int>(number), silent);
                return;
            }
            shown_.say("mistake", twice ? fmt::format("Door {} has its lock already.", number)
                                        : "A number from 1 to 999 is wanted, as on the door.");
        }
    }

    void wait_shut(const learnt_lock& lock) {
        const auto& m = lock.moved.front();
        if (!o_.unattended) {
            shown_.progress("Shut it, please.");
        }
        const std::int64_t end = monotonic_ms() + shut_within_ms;
        std::int64_t shut_since = -1;
        while (monotonic_ms() < end) {
            const bool level = ((inputs(m.where.board) >> static_cast<unsigned>(m.where.channel)) & 1U) != 0;
            const bool shut = level == m.rest;
            shut_since = !shut ? -1 : shut_since < 0 ? monotonic_ms() : shut_since;
            if (shut_since >= 0 && monotonic_ms() - shut_since >= still_ms) {
                return;
            }
        }
        shown_.say("warning", "The door still stands open: going on; its contact proves nothing until it is shut.");
    }

    int finish(const survey& learnt, const fs::path& journal) {
        const auto more = learnt.findings();
        for (const auto& f : more) {
            shown_.say("finding", f.text, {{"kind", f.kind}});
        }
        found_.insert(found_.end(), more.begin(), more.end());
        const auto& locks = learnt.locks();
        const auto doors = std::count_if(locks.begin(), locks.end(), [](const auto& l) { return l.number > 0; });
        if (doors == 0) {
            throw refused("no door was seen to open: the configuration is left as it was");
        }
        const std::string text = configured(base_.text, learnt, base_.bus_tables, base_.kept, o_.pulse_max);
        const fs::path file = fs::absolute(o_.config);
        if (fs::exists(file)) {
            fs::copy_file(file, file.string() + ".before", fs::copy_options::overwrite_existing);
        }
        write_whole(file, text);
        sign(learnt);
        fs::remove(journal);
        shown_.say(
            "done",
            fmt::format(
                "{} doors: {} is written, what it was stands in {}.before. {} findings. lockerd takes the signed "
                "record into its ledger when it starts.",
                doors, o_.config, o_.config, found_.size()),
            {{"doors", doors},
             {"findings", static_cast<std::int64_t>(found_.size())},
             {"pulse_ms", learnt.pulse_ms(o_.pulse_max)},
             {"config", file.string()}});
        return 0;
    }

    void sign(const survey& learnt) {
        const auto key = read_cabinet_key(base_.cabinet_key.string());
        if (!key) {
            shown_.say("warning", fmt::format("no signed record: {}", key.error().what));
            return;
        }
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const std::string record = wiring_record(
            learnt, base_.cabinet, std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), found_);
        write_whole(
            base_.state_folder / "wiring.json",
            boost::json::serialize(object{{"record", record}, {"signature", to_hex(wiring_signature(*key, record))}}));
    }

    const commission_options& o_;
    base base_;
    cabinet_lines& lines_;
    screen& shown_;
    std::vector<std::uint32_t> rest_;
    std::vector<finding> found_;
};

}  // namespace

int commission(const commission_options& o) {
    screen shown(o.json, o.unattended);
    try {
        base b = read_base(o);
        fs::create_directories(b.state_folder);
        std::list<exclusive> held;
        held.emplace_back((b.state_folder / "lock").string(), "state folder " + b.state_folder.string());
        for (const auto& line : b.lines) {
            const std::string where = line.device.empty() ? fmt::format("{}:{}", line.host, line.port) : line.device;
            held.emplace_back(line_lock_file(where), "line " + where);
        }
        refuse_in_service(b);
        std::signal(SIGINT, [](int) { interrupted = 1; });
        std::signal(SIGTERM, [](int) { interrupted = 1; });
        cabinet_lines lines(b.lines, read_profiles(o));
        return run_of(o, std::move(b), lines, shown).all();
    } catch (const stopped&) {
        shown.say("interrupted", "Stopped. What was learnt is kept: the same command goes on.");
        return exit_interrupted;
    } catch (const refused& e) {
        shown.say("refused", e.what());
        return exit_refused;
    }
}

}  // namespace locker
