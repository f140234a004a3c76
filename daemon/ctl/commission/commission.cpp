#include "daemon/ctl/commission/commission.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <list>
#include <optional>
#include <set>
#include <stdexcept>

#include "daemon/app/config.hpp"
#include "daemon/ctl/commission/base.hpp"
#include "daemon/ctl/commission/lines.hpp"
#include "daemon/ctl/commission/screen.hpp"
#include "daemon/ctl/commission/wiring.hpp"
#include "hal/config/key_files.hpp"
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
constexpr std::int64_t nothing_moves_ms = 2600;  // lockerd itself would wait no longer for a door
constexpr std::int64_t still_ms = 300;           // a contact that is quiet for so long has come to rest
constexpr std::int64_t shut_within_ms = 120'000;
constexpr std::int64_t supply_rest_ms = 200;  // between two coils of one supply

volatile std::sig_atomic_t interrupted = 0;

struct stopped : std::runtime_error {
    stopped() : std::runtime_error("interrupted") {}
};
void heed() {
    if (interrupted != 0) {
        throw stopped();
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
        survey learnt(lines_.boards(), lengths, o_.pulse_max, o_.unattended);
        for (std::size_t b = 0; b < lines_.boards().size(); ++b) {
            const auto& name = lines_.boards()[b].name;
            for (const auto& [board, channel] : base_.spoken_for) {  // a lamp or a buzzer
                if (board == name) {
                    learnt.leave_out({b, channel - 1});
                }
            }
            for (const auto& [relay, number] : base_.numbers) {
                if (relay.first == name) {
                    learnt.known_before({b, relay.second - 1}, number);
                }
            }
        }
        const fs::path journal = base_.state_folder / "commission.json";
        if (const auto key = read_cabinet_key(base_.cabinet_key.string()); !key) {
            shown_.say("warning", fmt::format("there will be no signed record: {}", key.error().what));
        }
        if (const auto text = read_text_file(journal.string()); text && !o_.anew) {
            if (learnt.resume(*text, identity())) {
                for (const auto& lock : learnt.locks()) {
                    if (lock.needed_ms > 0) {
                        shown_.mark(lock.relay.board, lock.relay.channel, screen::cell::opened, lock.number);
                    }
                }
                shown_.say("resumed", "Going on where the last run stopped; --anew begins anew.");
            } else {
                shown_.say("journal", "An earlier run was of another cabinet or other boards: it is left aside.");
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
            shown_.name(i, name);
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
        return *masked(board, bits);
    }

    // Mains may fail while a lock is pulsed: sensors are no contacts.
    [[nodiscard]] std::optional<std::uint32_t> masked(std::size_t board, std::optional<std::uint32_t> bits) const {
        for (const auto& [name, channel] : base_.sensors) {
            if (bits && name == lines_.boards()[board].name) {
                *bits &= ~(1U << static_cast<unsigned>(channel - 1));
            }
        }
        return bits;
    }

    std::string asked(const std::string& question) {
        try {
            auto said = shown_.ask(question);
            heed();
            return said;
        } catch (const std::runtime_error&) {
            heed();  // no answer, since a signal came
            throw;
        }
    }

    // What contacts read while all doors are shut.
    void rest(survey& learnt) {
        if (!o_.unattended) {
            (void)asked("Shut every door, then press Enter.");
        }
        for (std::size_t b = 0; b < lines_.boards().size(); ++b) {
            rest_.push_back(inputs(b));
            loose_.push_back(0);
        }
        const std::int64_t end = monotonic_ms() + 1000;
        while (monotonic_ms() < end) {
            for (std::size_t b = 0; b < lines_.boards().size(); ++b) {
                const auto changed = inputs(b) ^ rest_[b];
                for (int c = 0; c < 32; ++c) {
                    if (((changed & ~loose_[b]) >> static_cast<unsigned>(c) & 1U) != 0) {
                        learnt.unstable({b, c});
                    }
                }
                loose_[b] |= changed;
            }
        }
    }

    [[nodiscard]] std::string identity() const { return base_.cabinet + " " + fs::absolute(o_.config).string(); }

    void keep(const survey& learnt, const fs::path& journal) const {
        write_whole(journal, learnt.journal(identity()));
        give_to_daemon(journal, base_.state_folder);
    }

    void learn(survey& learnt, const fs::path& journal) {
        governor guard;
        for (std::size_t i = 0; i < learnt.locks().size(); ++i) {
            guard.add(static_cast<int>(i), 1, base_.limits);
        }
        std::int64_t supply_free = 0;
        std::optional<survey::step> before;
        std::set<std::size_t> late;
        while (const auto step = learnt.next()) {
            heed();
            const bool quiet = all_at_rest(learnt);
            if (!quiet && before && learnt.locks()[before->lock].needed_ms == 0 && late.insert(before->lock).second) {
                shown_.say("warning", "A contact moved late: that relay is tried again.");
                learnt.again(*before);
                before.reset();
                continue;
            }
            before = step;
            const auto& lock = learnt.locks()[step->lock];
            shown_.progress(fmt::format("Relay {} of {}: board {} channel {}, {} ms", step->lock + 1,
                                        learnt.locks().size(), lines_.boards()[lock.relay.board].name,
                                        lock.relay.channel + 1, step->length_ms));
            const int coil = static_cast<int>(step->lock);
            while (monotonic_ms() < supply_free || !guard.claim(coil, monotonic_ms())) {
                heed();
                sleep_ms(std::clamp<std::int64_t>(
                    std::max(supply_free, guard.earliest(coil, monotonic_ms())) - monotonic_ms(), 1, 200));
            }
            auto moved = watched(lock.relay, step->length_ms);
            supply_free = monotonic_ms() + supply_rest_ms;
            learnt.saw(*step, moved);
            if (lock.needed_ms > 0 && !step->confirm) {
                tell(learnt, step->lock);
                number(learnt, step->lock, false);
            } else if (step->last && lock.needed_ms == 0 && !o_.unattended) {
                number(learnt, step->lock, true);
            }
            keep(learnt, journal);
        }
        (void)all_at_rest(learnt);
    }

    // Waits until every contact reads as it did while all doors were shut. False: one had moved.
    bool all_at_rest(const survey& learnt) {
        const std::int64_t end = monotonic_ms() + shut_within_ms;
        std::int64_t since = -1;
        bool quiet = true;
        for (bool asked = false; monotonic_ms() < end;) {
            bool rest = true;
            for (std::size_t b = 0; b < rest_.size(); ++b) {
                rest = ((inputs(b) ^ rest_[b]) & ~loose_[b]) == 0 && rest;
            }
            since = !rest ? -1 : since < 0 ? monotonic_ms() : since;
            if (since >= 0 && (quiet || monotonic_ms() - since >= still_ms)) {
                return quiet;
            }
            quiet = quiet && rest;
            if (!rest && !asked && !o_.unattended) {
                shown_.progress("Shut the door, please.");
                asked = true;
            }
        }
        keep(learnt, base_.state_folder / "commission.json");
        throw refused(
            "a contact does not come back to what it read while all doors were shut. If a door stood open at the "
            "beginning: shut all, and begin with --anew; else shut it, and call again");
    }

    // Pulses, and reads all contacts until those that moved have come to rest.
    std::vector<moved_input> watched(const board_channel& relay, std::int64_t length_ms) {
        const bool acknowledged = lines_.begin(relay, length_ms);
        const std::int64_t begun = monotonic_ms();
        std::vector<input_sample> samples;
        std::int64_t changed_at = -1;
        auto last = rest_;
        std::size_t only = rest_.size();  // the board whose contact moves is read back to back
        // A coil that only we switch off is switched off in time, whatever else the line does.
        const bool ours = lines_.boards()[relay.board].profile.pulse == pulse_kind::on_off;
        bool ended = !ours;
        for (;;) {
            for (std::size_t b = 0; b < rest_.size(); ++b) {
                const std::int64_t left = begun + length_ms - monotonic_ms();
                if (!ended && left <= 0) {
                    lines_.end(relay);
                    ended = true;
                }
                if (only < rest_.size() && b != only) {
                    continue;
                }
                const auto seen = ended ? std::optional(inputs(b)) : masked(b, lines_.read_within(b, left));
                if (!seen) {
                    sleep_ms(std::min<std::int64_t>(left, 1));
                    continue;
                }
                const auto bits = *seen;
                const std::int64_t now = monotonic_ms() - begun;
                if (bits != last[b]) {
                    last[b] = bits;
                    changed_at = now;
                    only = b;
                    samples.push_back({now, b, bits});
                }
            }
            const std::int64_t now = monotonic_ms() - begun;
            const bool over = changed_at < 0 ? now > nothing_moves_ms : now > changed_at + still_ms;
            if (ended && over) {
                break;
            }
        }
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

    void name(survey& learnt, std::size_t index, int door, bool seen) {
        const auto& relay = learnt.locks()[index].relay;
        learnt.name_door(index, door, seen);
        shown_.mark(relay.board, relay.channel, screen::cell::opened, door);
        shown_.say("door",
                   fmt::format("Relay {} {}: door {}", lines_.boards()[relay.board].name, relay.channel + 1, door),
                   {{"compartment", door}});
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
        const int known = learnt.locks()[index].number_before;
        const bool free = known != 0 && std::none_of(learnt.locks().begin(), learnt.locks().end(),
                                                     [&](const auto& l) { return l.number == known; });
        const int next = free ? known : learnt.next_number();
        for (;;) {
            const std::string said =
                asked(silent ? "No contact moved. If a door opened all the same: the number on it; else Enter: "
                             : fmt::format("The number on the door that opened [{}]: ", next));
            if (said.empty()) {
                if (!silent) {
                    name(learnt, index, next, false);
                }
                return;
            }
            if (const auto mended = learnt.renumber(said); mended) {
                for (const auto& lock : learnt.locks()) {
                    if (lock.number > 0) {
                        shown_.mark(lock.relay.board, lock.relay.channel, screen::cell::opened, lock.number);
                    }
                }
                shown_.say(mended->empty() ? "renumbered" : "mistake", mended->empty() ? "Changed: " + said : *mended);
                continue;
            }
            char* end = nullptr;
            const long number = std::strtol(said.c_str(), &end, 10);
            const bool twice = number > 0 && std::any_of(learnt.locks().begin(), learnt.locks().end(),
                                                         [&](const auto& l) { return l.number == number; });
            if (*end == 0 && number >= 1 && number <= limits::compartment_max && !twice) {
                name(learnt, index, static_cast<int>(number), silent);
                return;
            }
            shown_.say("mistake",
                       twice ? fmt::format("Door {} has its lock already.", number)
                             : "A number from 1 to 999 is wanted, as on the door; 12=13: what was called 12 is "
                               "door 13.");
        }
    }

    int finish(const survey& learnt, const fs::path& journal) {
        auto more = learnt.findings();
        std::erase_if(more, [&](const finding& f) { return f.kind == "unused_input" && is_sensor(f.where); });
        const std::set<std::string> harmless{"crossed", "unused_input"};
        for (const bool worth : {false, true}) {  // what wants a screwdriver comes last: it stays in sight
            for (const auto& f : more) {
                if ((harmless.count(f.kind) == 0) == worth) {
                    shown_.say("finding", f.text, {{"kind", f.kind}});
                }
            }
        }
        found_.insert(found_.end(), more.begin(), more.end());
        const auto& locks = learnt.locks();
        const auto doors =
            std::count_if(locks.begin(), locks.end(), [](const auto& l) { return l.number > 0 && survey::usable(l); });
        if (doors == 0) {
            fs::remove(journal);
            throw refused("no door was seen to open: the configuration is left as it was");
        }
        refuse_to_lose(learnt);
        if (o_.doors > 0 && doors != o_.doors) {
            found_.push_back({"doors_differ", fmt::format("{} doors were expected, {} were found", o_.doors, doors)});
            shown_.say("finding", found_.back().text, {{"kind", "doors_differ"}});
        }
        const std::string text = configured(base_.text, learnt, base_.bus_tables, base_.kept);
        try {
            (void)toml::parse(text);
        } catch (const toml::parse_error& e) {
            throw refused(
                fmt::format("{} cannot be rewritten by a program: {}. It is left as it was; write its boards and "
                            "compartments as [[board]] and [[compartment]] tables",
                            o_.config, std::string(e.description())));
        }
        const fs::path file = fs::absolute(o_.config);
        std::string before = file.string() + ".before";
        for (int i = 2; fs::exists(before); ++i) {
            before = fmt::format("{}.before-{}", file.string(), i);
        }
        if (fs::exists(file)) {
            fs::copy_file(file, before);
        }
        write_whole(file, text);
        judge(file);
        const bool recorded = sign(learnt);
        if (recorded) {
            fs::remove(journal);
        }
        const auto notes =
            std::count_if(found_.begin(), found_.end(), [&](const finding& f) { return harmless.count(f.kind) != 0; });
        shown_.say("done",
                   fmt::format("{} doors: {} is written{}. {} findings to look at, {} notes. {}", doors, o_.config,
                               fs::exists(before) ? ", what it was stands in " + before : "",
                               static_cast<std::ptrdiff_t>(found_.size()) - notes, notes,
                               recorded ? "lockerd takes the signed record into its ledger when it starts."
                                        : "There is no signed record yet: what was learnt is kept; put the cabinet's "
                                          "key there, and call again."),
                   {{"doors", doors},
                    {"findings", static_cast<std::int64_t>(found_.size())},
                    {"pulse_ms", learnt.pulse_ms()},
                    {"config", file.string()}});
        return !recorded || (o_.doors > 0 && doors != o_.doors) ? exit_refused : 0;
    }

    [[nodiscard]] bool is_sensor(const board_channel& c) const {
        return base_.sensors.count({lines_.boards()[c.board].name, c.channel + 1}) != 0;
    }
    // What lockerd would say of it, said now.
    void judge(const fs::path& file) {
        const auto read = read_config(file.string());
        if (const auto* errors = std::get_if<std::vector<config_error>>(&read)) {
            for (const auto& e : *errors) {
                shown_.say("warning", "lockerd will not start with it yet: " + shown(file.string(), e));
            }
        }
    }

    // Doors that the configuration has and nobody found: a board that is off, a cable. They stay in it.
    void refuse_to_lose(const survey& learnt) const {
        std::set<int> lost;
        for (const auto& [relay, number] : base_.numbers) {
            lost.insert(number);
        }
        for (const auto& lock : learnt.locks()) {
            if (survey::usable(lock)) {
                lost.erase(lock.number);
            }
        }
        if (!lost.empty() && !o_.force) {
            throw refused(fmt::format(
                "the configuration has doors that were not found: {}. It is left as it was, what was learnt "
                "is kept: mend it and call again, or leave them out by --force",
                fmt::join(lost, ", ")));
        }
    }

    bool sign(const survey& learnt) {
        const auto key = read_cabinet_key(base_.cabinet_key.string());
        if (!key) {
            shown_.say("warning", fmt::format("no signed record: {}", key.error().what));
            return false;
        }
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const std::string record = wiring_record(
            learnt, base_.cabinet, std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), found_);
        const auto file = base_.state_folder / "wiring.json";
        write_whole(file, boost::json::serialize(
                              object{{"record", record}, {"signature", to_hex(wiring_signature(*key, record))}}));
        give_to_daemon(file, base_.state_folder);
        return true;
    }

    const commission_options& o_;
    base base_;
    cabinet_lines& lines_;
    screen& shown_;
    std::vector<std::uint32_t> rest_;
    std::vector<std::uint32_t> loose_;  // inputs that change by themselves
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
        give_to_daemon(b.state_folder / "lock", b.state_folder);
        for (const auto& line : b.lines) {
            const std::string where = line.device.empty() ? fmt::format("{}:{}", line.host, line.port) : line.device;
            held.emplace_back(line_lock_file(where), "line " + where);
            give_to_daemon(line_lock_file(where), b.state_folder);
        }
        refuse_in_service(b);
        // Without SA_RESTART: a question that waits ends, too. Whatever ends us, relays are dropped first.
        struct sigaction stop {};
        stop.sa_handler = [](int) { interrupted = 1; };
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            ::sigaction(signal, &stop, nullptr);
        }
        std::signal(SIGPIPE, SIG_IGN);
        cabinet_lines lines(b.lines, read_profiles(o, b));
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
