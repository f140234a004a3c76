#include "tests/simulation/town.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace sim {

using locker::core::contact_kind;

town::town(const town_options& o)
    : options_(o),
      world_(o.seed),
      auditor_(world_),
      hardware_(world_, auditor_),
      broker_(world_, auditor_, std::string("locker/v1/") + cabinet_id),
      disk_(world_) {
    world_.cuts = o.cuts;
    world_.tell = o.tell;
    seed_.fill(7);
    forged_.fill(9);
    key_.fill(0x42);
    old_key_.fill(0x24);
    root_.fill(3);
    build();
    broker_.listener = [this](const std::string& topic, const std::string& payload) { heard(topic, payload); };
}

town::~town() {
    actor::end_all();
}

town_result town::run() {
    town_result out;
    out.world = described();  // before peace ends its faults
    try {
        process_->start();
        if (options_.only_guesses) {
            guess_all_day();
            world_.run_until(options_.days * day);
        } else if (options_.story_only) {
            one_story("story", 0, true);
            world_.run_until(40 * minute);
        } else {
            staff();
            office();
            if (options_.faults) {
                hardware_.pulsed = [this](std::size_t board) { worst_moment(board); };
                trouble();
            }
            if (swarm_.attacker) {
                attacker();
            }
            residents();
            world_.run_until(options_.days * day);
        }
        if (!options_.only_guesses) {
            peace();
        }
    } catch (const violation& v) {
        out.violation = v.what();
    } catch (const std::exception& e) {
        out.violation = std::string("the program broke: ") + e.what();
    }
    out.hash = world_.hash();
    out.port_calls = world_.port_calls;
    out.openings = auditor_.openings();
    out.stories = static_cast<std::uint64_t>(stories_);
    out.days = options_.story_only ? 0 : options_.days;
    out.met = world_.met;
    out.trace = world_.story;
    return out;
}

// Boards, doors, contacts and policies, as no two cabinets have them alike.
void town::build() {
    auto& rng = world_.rng;
    if (options_.faults) {
        for (bool* f : {&swarm_.line, &swarm_.boards, &swarm_.contacts, &swarm_.jams, &swarm_.broker, &swarm_.clock,
                        &swarm_.disk, &swarm_.full, &swarm_.slow, &swarm_.kills, &swarm_.powers, &swarm_.stops,
                        &swarm_.attacker, &swarm_.clumsy}) {
            *f = rng.chance(350);
        }
    }
    broker_.version_5 = rng.chance(500);
    if (swarm_.boards) {
        hardware_.pulse_replies_lost = 20;
    }
    if (swarm_.broker) {
        broker_.duplicates = broker_.usual_duplicates = 30;
        broker_.late = broker_.usual_late = 20;
    }
    const int boards = options_.story_only ? 1 : static_cast<int>(rng.between(1, 3));
    locker::board_profile profile;
    profile.name = "simulated";
    profile.relays = 9;  // the last one of the first board is the buzzer's
    profile.inputs = 10;
    profile.pulse_max_units = 30;
    locker::bus_settings bus;
    bus.line.name = "line";
    locker::core::cabinet_config config;
    config.id = cabinet_id;
    config.name = "simulated";
    config.sensors = {{locker::core::sensor_kind::mains, 0, mains_channel, false},
                      {locker::core::sensor_kind::tamper, 0, tamper_channel, true}};
    config.version = "sim";
    config.cabinet_keys = {locker::secret256(key_)};
    locker::issuer_key issuer{"portal", locker::ed25519_public(seed_), {}};
    for (const auto* act : portal_acts) {
        issuer.acts.push_back(*locker::grant_act_from(act));
    }
    config.ring.keys = {issuer};
    config.root =
        locker::issuer_key{"root", locker::ed25519_public(root_), {locker::grant_act::roster, locker::grant_act::keys}};
    auditor_.ring({"portal"});
    if (!options_.story_only && rng.chance(300)) {  // a rotation is under way
        config.cabinet_keys.emplace_back(old_key_);
        two_generations_ = true;
    }
    config.rules.reservation = rng.between(1, 10) * minute;
    if (!options_.story_only) {
        config.rules.held_open = rng.between(1, 10) * minute;
        config.rules.overdue_return = rng.between(3, 100) * hour;
    }
    if (!options_.story_only && options_.seed % 3 == 0) {  // a ledger that has run for years
        config.rules.ledger_keep = auditor_.ledger_keep = 10 * minute;
        config.rules.ledger_rows = 60;
        config.rules.ledger_notice = 10 * minute;
    }
    hardware_.boards.resize(static_cast<std::size_t>(boards));
    for (int b = 0; b < boards; ++b) {
        const std::string name(1, static_cast<char>('A' + b));
        bus.boards.push_back({b, name, b + 1, profile});
        if (!options_.story_only && options_.seed / 6 % 3 == (b == 0 ? 1U : 2U)) {  // without a timer of its own
            bus.boards.back().profile.pulse = locker::pulse_kind::on_off;
        }
        config.boards.push_back(name);
        const int doors = options_.story_only ? 4 : static_cast<int>(rng.between(4, 8));
        for (int i = 0; i < doors; ++i) {
            wire(static_cast<int>(hardware_.doors.size()) + 1, static_cast<std::size_t>(b), i, config, bus);
        }
    }
    process_ = std::make_unique<process>(world_, auditor_, hardware_, broker_, disk_, config, bus,
                                         front_of(options_.seed, 0, 8));
    process_->front.clumsy = swarm_.clumsy;
    if (swarm_.clock && rng.chance(500)) {
        process_->clock.synchronised = false;  // unset at boot
        process_->clock.offset_ms = -rng.between(0, 400) * day;
        auditor_.clock_faulty = true;
    }
}

std::string town::described() const {
    std::string faults;
    for (const auto& [name, on] : {std::pair{"line", swarm_.line},
                                   {"boards", swarm_.boards},
                                   {"contacts", swarm_.contacts},
                                   {"jams", swarm_.jams},
                                   {"broker", swarm_.broker},
                                   {"clock", swarm_.clock},
                                   {"disk", swarm_.disk},
                                   {"full disk", swarm_.full},
                                   {"slow disk", swarm_.slow},
                                   {"kills", swarm_.kills},
                                   {"power", swarm_.powers},
                                   {"stops", swarm_.stops},
                                   {"attacker", swarm_.attacker},
                                   {"clumsy people", swarm_.clumsy}}) {
        faults += on ? std::string(faults.empty() ? "" : ", ") + name : "";
    }
    const auto blind =
        std::count_if(hardware_.doors.begin(), hardware_.doors.end(), [](const door& d) { return !d.wired; });
    return std::to_string(hardware_.boards.size()) + " boards, " + std::to_string(hardware_.doors.size()) + " doors, " +
           std::to_string(blind) + " of them without a contact, MQTT " + (broker_.version_5 ? "5" : "3.1.1") +
           "; trouble with: " + (faults.empty() ? "nothing" : faults);
}

// One door: its relay here, its contact on this board or another, of either level, or none.
void town::wire(int number, std::size_t board, int channel, locker::core::cabinet_config& config,
                locker::bus_settings& bus) {
    auto& rng = world_.rng;
    door d;
    d.number = number;
    d.board = board;
    if (!options_.story_only) {
        d.wired = !rng.chance(40);
        d.board = options_.seed % 4 == 0 ? (board + 1) % hardware_.boards.size() : board;
        d.closed_level = rng.chance(700);
    }
    d.channel = static_cast<unsigned>(channel);
    hardware_.doors.push_back(d);
    if (!d.wired) {
        auditor_.no_contact(number);
    }
    locker::core::compartment_config c;
    c.number = number;
    c.size = static_cast<locker::box_size>(rng.below(3));
    c.relay_board = static_cast<int>(board);
    c.contact = !d.wired ? contact_kind::none : rng.chance(500) ? contact_kind::door : contact_kind::latch;
    c.contact_board = static_cast<int>(d.board);
    c.contact_channel = channel;
    c.closed_level = d.closed_level;
    config.compartments.push_back(c);
    bus.locks.push_back(
        {number, c.relay_board, channel, d.wired ? c.contact_board : -1, static_cast<int>(rng.between(1, 2)), {}});
}

// Faults stop; everything drains; every owner gets their papers.
void town::peace() {
    end_trouble();
    // what had begun ends: people give up or go on within a few hours
    world_.run_until(world_.now + 6 * hour);
    for (const auto& d : hardware_.doors) {
        if (d.open && world_.now - d.opened_at > 10 * minute) {  // nobody stands there: staff answer the alarm
            empty(d.number);
            hardware_.shut(d.number);
        }
    }
    world_.run_until(world_.now + hour);
    if (!process_->running()) {
        throw violation("I11 lockerd does not come up again");
    }
    for (const auto& dep : std::set<std::string>(owners_)) {
        bool over = taken_.count(dep) != 0;
        if (!over) {
            last_chance(dep, over);
        }
        for (const std::int64_t until = world_.now + 10 * day; !over && world_.now < until;) {
            world_.run_until(world_.now + minute);
        }
        if (taken_.count(dep) == 0) {
            throw violation("I11 the owner of " + dep + " cannot get the papers, door " +
                            std::to_string(true_place(dep)) + ": " + last_said_);
        }
    }
    world_.run_until(world_.now + hour);
    check_retained();
    for (int i = 0; i < 60 && auditor_.behind(); ++i) {  // somebody may be at a door this very moment
        world_.run_until(world_.now + second);
    }
    const auto ledger = process_->ledger();
    auditor_.ledger_found(ledger);
    auditor_.drained(ledger.back().sequence);
    check_replay(ledger.front().sequence, ledger.back().sequence);
}

int town::true_place(const std::string& dep) const {
    for (const auto& d : hardware_.doors) {
        if (d.papers.count(dep) != 0) {
            return d.number;
        }
    }
    return 0;
}

// Every event can be had again.
void town::check_replay(std::uint64_t next, std::uint64_t head) {
    while (next <= head) {
        answer sent = command("replay", {{"from", next}, {"to", head}});
        std::string reply;
        [](answer a, std::string& into) -> actor { into = co_await a; }(sent, reply);
        world_.run_until(world_.now + minute);
        if (error_of(reply) != "ok") {
            throw violation("I5 events from " + std::to_string(next) + " cannot be had again: " + error_of(reply));
        }
        const auto parsed = boost::json::parse(reply);
        for (const auto& event : parsed.at("result").at("events").as_array()) {
            auditor_.replayed(next++, boost::json::serialize(event));
        }
    }
}

// What the world is shown is what is true: no compartment is offered in which something lies.
void town::check_retained() {
    for (const auto& d : hardware_.doors) {
        const auto at = broker_.retained.find("compartment/" + std::to_string(d.number));
        if (at == broker_.retained.end()) {
            throw violation("I5 no state of compartment " + std::to_string(d.number) + " is retained");
        }
        const auto o = boost::json::parse(at->second).as_object();
        if (!d.papers.empty() && o.at("use").as_string() == "vacant") {
            throw violation("I10 compartment " + std::to_string(d.number) + " is shown vacant, and papers lie in it");
        }
    }
    for (const auto* alarm : {"alarm/mains", "alarm/tamper"}) {
        if (broker_.retained.count(alarm) != 0) {
            throw violation(std::string("I5 what is over is still retained: ") + alarm);
        }
    }
    const auto status = broker_.retained.find("status");
    if (status == broker_.retained.end() || status->second.find("\"online\":true") == std::string::npos) {
        throw violation("I5 the retained status does not say online");
    }
}

town_result run_town(const town_options& options) {
    town t(options);
    return t.run();
}

}  // namespace sim
