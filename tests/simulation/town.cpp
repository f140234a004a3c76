#include "tests/simulation/town.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "protocol/code.hpp"
#include "protocol/timestamp.hpp"

namespace sim {
namespace {

using boost::json::object;

constexpr const char* cabinet_id = "sim-1";
constexpr const char* root = "locker/v1/sim-1";

struct swarm {  // which faults this seed knows, decided once
    bool line = false, boards = false, contacts = false, jams = false;
    bool broker = false, trash = false;
    bool clock = false;
    bool disk = false, full = false;
    bool kills = false, powers = false, stops = false;
    bool attacker = false, clumsy = false;
};

class town {
public:
    explicit town(const town_options& o)
        : options_(o),
          world_(o.seed),
          auditor_(world_),
          hardware_(world_, auditor_),
          broker_(world_, auditor_, root),
          disk_(world_) {
        world_.cuts = o.cuts;
        world_.tell = o.tell;
        seed_.fill(7);
        forged_.fill(9);
        key_.fill(0x42);
        build();
        broker_.listener = [this](const std::string& topic, const std::string& payload) { heard(topic, payload); };
    }

    ~town() { actor::end_all(); }
    town(const town&) = delete;
    town& operator=(const town&) = delete;

    town_result run() {
        town_result out;
        try {
            process_->start();
            if (options_.story_only) {
                one_story("story", 0, true);
                world_.run_until(40 * minute);
            } else {
                staff();
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
            peace();
        } catch (const violation& v) {
            out.violation = v.what();
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

private:
    // ---- the cabinet
    void build() {
        auto& rng = world_.rng;
        if (options_.faults) {
            for (bool* f : {&swarm_.line, &swarm_.boards, &swarm_.contacts, &swarm_.jams, &swarm_.broker, &swarm_.trash,
                            &swarm_.clock, &swarm_.disk, &swarm_.full, &swarm_.kills, &swarm_.powers, &swarm_.stops,
                            &swarm_.attacker, &swarm_.clumsy}) {
                *f = rng.chance(350);
            }
        }
        broker_.version_5 = rng.chance(500);
        const int boards = options_.story_only ? 1 : static_cast<int>(rng.between(1, 3));
        locker::board_profile profile;
        profile.name = "simulated";
        profile.relays = 8;
        profile.inputs = 8;
        profile.pulse_max_units = 30;
        locker::bus_settings bus;
        bus.line.name = "line";
        locker::core::cabinet_config config;
        config.id = cabinet_id;
        config.name = "simulated";
        config.version = "sim";
        config.cabinet_keys = {key_};
        locker::issuer_key issuer{"portal", locker::ed25519_public(seed_), {}};
        for (const auto* act : {"deposit", "collect", "open", "settle"}) {
            issuer.acts.push_back(*locker::grant_act_from(act));
        }
        config.ring.keys = {issuer};
        config.rules.reservation = rng.between(1, 10) * minute;
        hardware_.boards.resize(static_cast<std::size_t>(boards));
        for (int b = 0; b < boards; ++b) {
            const std::string name(1, static_cast<char>('A' + b));
            bus.boards.push_back({b, name, b + 1, profile});
            config.boards.push_back(name);
            const int doors = options_.story_only ? 4 : static_cast<int>(rng.between(4, 8));
            for (int i = 0; i < doors; ++i) {
                door d;
                d.number = static_cast<int>(hardware_.doors.size()) + 1;
                d.board = static_cast<std::size_t>(b);
                d.channel = static_cast<unsigned>(i);
                hardware_.doors.push_back(d);
                locker::core::compartment_config c;
                c.number = d.number;
                c.size = static_cast<locker::box_size>(rng.below(3));
                c.relay_board = b;
                c.contact = rng.chance(500) ? locker::core::contact_kind::door : locker::core::contact_kind::latch;
                c.contact_board = b;
                c.contact_channel = i;
                config.compartments.push_back(c);
                bus.locks.push_back({c.number, b, i, b, static_cast<int>(rng.between(1, 2)), {}});
            }
        }
        process_ = std::make_unique<process>(world_, auditor_, hardware_, broker_, disk_, config, bus);
        if (swarm_.clock && rng.chance(500)) {
            process_->clock.synchronised = false;  // unset at boot
            process_->clock.offset_ms = -rng.between(0, 400) * day;
            auditor_.clock_faulty = true;
        }
    }

    // ---- the portal
    void heard(const std::string& topic, const std::string& payload) {
        if (topic == "status") {
            const auto o = boost::json::parse(payload).as_object();
            if (const auto* e = o.if_contains("epoch")) {
                epoch_ = e->as_string().c_str();
            }
        } else if (topic.starts_with("reply/")) {
            const auto o = boost::json::parse(payload).as_object();
            const auto at = replies_.find(o.at("id").as_string().c_str());
            if (at != replies_.end()) {
                at->second.give(payload);
                replies_.erase(at);
            }
        } else if (topic.starts_with("event/deposit.reserved") || topic.starts_with("event/deposit.moved")) {
            const auto data = boost::json::parse(payload).as_object().at("data").as_object();
            places_[data.at("deposit").as_string().c_str()] = static_cast<int>(data.at("compartment").as_int64());
        }
    }

    std::string token(const std::string& act, const std::string& dep, int compartment, bool local, bool genuine = true,
                      std::int64_t life_s = 60) {
        const std::int64_t now_s = world_.true_wall() / 1000;
        const std::string jti = "jti-" + std::to_string(++ids_);
        object claims{{"aud", cabinet_id}, {"jti", jti}, {"iat", now_s}, {"exp", now_s + life_s}, {"act", act}};
        if (!dep.empty()) {
            claims["dep"] = dep;
        }
        if (act == "deposit") {
            claims["kind"] = dep.starts_with("back") ? "return" : "intake";
        }
        if (compartment != 0) {
            claims["cmp"] = compartment;
        }
        if (!local) {
            claims["epoch"] = epoch_.empty() ? "none" : epoch_;
        }
        if (genuine) {
            auditor_.issued_grant({act, dep, compartment, jti, (now_s + life_s) * 1000, 0});
        }
        return locker::mint_grant(claims, {"portal", genuine ? seed_ : forged_});
    }

    std::string code(const std::string& dep, std::uint64_t issue) {
        const std::string text = locker::pickup_code(locker::deposit_key(key_, dep), issue);
        auditor_.issued_code(text, dep, issue);
        return text;
    }

    // Sends a command, again with the same id while nothing comes back, and gives the reply, or "".
    answer command(const std::string& name, object args, const std::string& grant = {}) {
        const std::string id = "id-" + std::to_string(++ids_);
        answer a(world_);
        replies_.emplace(id, a);
        object m{{"id", id},
                 {"expires_at", locker::format_time(world_.true_wall() + 60'000)},
                 {"reply_to", std::string(root) + "/reply/portal"},
                 {"args", std::move(args)}};
        if (!grant.empty()) {
            m["grant"] = grant;
        }
        const std::string payload = boost::json::serialize(m);
        captured_.emplace_back(name, payload);
        if (captured_.size() > 50) {
            captured_.erase(captured_.begin());
        }
        for (const std::int64_t again : {0, 12'000, 24'000}) {
            world_.after(again, [this, name, payload, id] {
                if (replies_.count(id) != 0) {
                    broker_.command(name, payload);
                }
            });
        }
        world_.after(36'000, [this, id, a]() mutable {
            a.give("");
            replies_.erase(id);
        });
        return a;
    }

    answer confirm(const std::string& dep) { return command("confirm", {{"deposit", dep}}); }

    static std::string error_of(const std::string& reply) {
        if (reply.empty()) {
            return "nothing";
        }
        const auto o = boost::json::parse(reply).as_object();
        return o.at("ok").as_bool() ? "ok" : std::string(o.at("error").as_object().at("code").as_string().c_str());
    }

    int where(const std::string& dep) {
        const auto at = places_.find(dep);
        return at == places_.end() ? 0 : at->second;
    }

    // ---- people at a door

    // Somebody whom the cabinet let in stands at an open door: what lies there is theirs, or nobody's.
    void look_inside(int number, const std::string& wanted) {
        const auto& d = hardware_.at(number);
        for (const auto& p : d.papers) {
            if (d.left.count(p) == 0) {
                auditor_.somebody_found(number, wanted, p);
            }
        }
    }

    bool put_in(int number, const std::string& dep) {
        auto& d = hardware_.at(number);
        if (!d.open || held_.count(dep) == 0) {
            return false;
        }
        look_inside(number, dep);
        d.papers.insert(dep);
        held_.erase(dep);
        world_.note("papers.in", dep);
        return true;
    }

    bool take_out(int number, const std::string& dep) {
        auto& d = hardware_.at(number);
        if (!d.open || d.papers.count(dep) == 0) {
            return false;
        }
        d.papers.erase(dep);
        taken_.insert(dep);
        world_.note("papers.out", dep);
        return true;
    }

    // Papers in, by a grant over MQTT. Gives "ok" when they lie inside.
    actor deposit(std::string dep, answer done, bool plain) {
        held_.insert(dep);
        for (int tries = 0; tries < 6 && held_.count(dep) != 0; ++tries) {
            const bool local = !plain && world_.rng.chance(200);
            std::string said;
            if (local) {
                answer a(world_);
                process_->enter("scanner", token("deposit", dep, 0, true, true, 3600),
                                [a](std::string text) mutable { a.give(std::move(text)); });
                said = co_await a;
            } else {
                answer sent = command("open", {}, token("deposit", dep, 0, false));
                const std::string reply = co_await sent;
                said = error_of(reply);
            }
            ++world_.met["deposit." + said];
            if (said == "no_vacancy" || said == "wrong_state") {
                co_await pause{world_, plain ? 5000 : world_.rng.between(1, 60) * minute};
                continue;
            }
            co_await pause{world_, plain ? 3000 : world_.rng.between(500, 9000)};
            const int n = where(dep);
            if (n != 0 && hardware_.at(n).open) {
                if (swarm_.clumsy && world_.now - hardware_.at(n).opened_at < 1200) {  // it springs shut at once
                    hardware_.shut(n);
                    co_await pause{world_, 3000};
                    continue;
                }
                co_await pause{world_, plain ? 2000 : world_.rng.between(500, 20'000)};
                if (put_in(n, dep)) {
                    co_await pause{world_, plain ? 2000 : world_.rng.between(1000, 9000)};
                    if (swarm_.clumsy && world_.rng.chance(50)) {
                        co_await pause{world_, world_.rng.between(1, 30) * minute};
                    }
                    hardware_.shut(n);
                    break;
                }
            }
            co_await pause{world_, plain ? 4000 : world_.rng.between(2000, 200'000)};
        }
        if (held_.count(dep) != 0) {
            held_.erase(dep);  // gives up and goes to the counter
            done.give("gave up");
            co_return;
        }
        owners_.insert(dep);
        co_await pause{world_, 3000};
        for (int tries = 0; tries < 5; ++tries) {
            answer sent = confirm(dep);
            const std::string reply = co_await sent;
            if (error_of(reply) == "ok") {
                break;
            }
            co_await pause{world_, plain ? 5000 : world_.rng.between(5000, 600'000)};
        }
        done.give("ok");
    }

    // Papers out, by a code at the keypad, or by a grant.
    actor collect(std::string dep, bool by_code, answer done, bool plain) {
        auto& issue = issues_[dep];
        for (int tries = 0; tries < 12 && taken_.count(dep) == 0; ++tries) {
            std::string said;
            if (by_code) {
                std::string text = code(dep, issue);
                if (swarm_.clumsy && world_.rng.chance(150)) {
                    text[static_cast<std::size_t>(world_.rng.below(9))] = static_cast<char>('0' + world_.rng.below(10));
                    auditor_typed_ = text;
                }
                if (locked_) {
                    text = std::to_string(where(dep)) + "#" + text;
                }
                answer a(world_);
                process_->enter("keypad", text, [a](std::string t) mutable { a.give(std::move(t)); });
                said = co_await a;
                locked_ = said == "locked_out" || (locked_ && said == "ok");
            } else {
                answer sent = command("open", {}, token("collect", dep, 0, false));
                const std::string reply = co_await sent;
                said = error_of(reply);
            }
            ++world_.met["collect." + said];
            co_await pause{world_, plain ? 1500 : world_.rng.between(300, 6000)};
            const int n = where(dep);
            if (n != 0 && hardware_.at(n).open) {
                look_inside(n, dep);
                if (swarm_.clumsy && world_.now - hardware_.at(n).opened_at < 1200) {
                    hardware_.shut(n);
                    co_await pause{world_, 3000};
                    continue;
                }
                co_await pause{world_, plain ? 2500 : world_.rng.between(2500, 20'000)};
                take_out(n, dep);
                co_await pause{world_, plain ? 1500 : world_.rng.between(500, 9000)};
                hardware_.shut(n);
                if (swarm_.clumsy && world_.rng.chance(150)) {  // came back for what was forgotten: once more
                    co_await pause{world_, world_.rng.between(5000, 50'000)};
                    answer again(world_);
                    process_->enter("keypad", code(dep, issue), [again](std::string t) mutable { again.give(t); });
                    const std::string more = co_await again;
                    ++world_.met["grace." + more];
                    co_await pause{world_, 4000};
                    hardware_.shut(n);
                }
                break;
            }
            if (said == "wrong_code" && tries % 2 == 1) {
                ++issue;  // the phone shows a new one
            }
            co_await pause{world_, plain ? 5000 : world_.rng.between(5000, 900'000)};
        }
        done.give(taken_.count(dep) != 0 ? "ok" : "not yet");
    }

    actor one_story(std::string name, std::int64_t after, bool plain) {
        co_await pause{world_, after};
        ++stories_;
        const std::string intake = "in-" + name;
        const std::string back = "back-" + name;
        answer put(world_);
        deposit(intake, put, plain);
        if (co_await put != "ok") {
            co_return;
        }
        co_await pause{world_, plain ? 20'000 : world_.rng.between(10, 600) * minute};
        answer fetched(world_);
        collect(intake, false, fetched, plain);
        if (co_await fetched != "ok") {
            co_return;  // it stays for the end
        }
        co_await pause{world_, plain ? 90'000 : world_.rng.between(10, 600) * minute};
        answer returned(world_);
        deposit(back, returned, plain);
        if (co_await returned != "ok") {
            co_return;
        }
        co_await pause{world_, plain ? 20'000 : world_.rng.between(10, 900) * minute};
        answer gone(world_);
        collect(back, true, gone, plain);
        (void)co_await gone;
    }

    actor residents() {
        int n = 0;
        while (world_.now < options_.days * day - 4 * hour) {
            co_await pause{world_, world_.rng.between(1, 280) * minute};
            one_story(std::to_string(++n), 0, false);
        }
    }

    // Staff on their round: whatever is suspected is opened and settled.
    actor staff() {
        for (;;) {
            co_await pause{world_, world_.rng.between(3, 12) * hour};
            answer round(world_);
            settle_all(round);
            (void)co_await round;
        }
    }

    actor settle_all(answer done) {
        for (const auto& d : hardware_.doors) {
            const int n = d.number;
            const auto at = broker_.retained.find("compartment/" + std::to_string(n));
            if (at == broker_.retained.end() || at->second.find(R"("use":"suspected")") == std::string::npos) {
                continue;
            }
            answer sent = command("open", {}, token("settle", "", n, false));
            const std::string reply = co_await sent;
            ++world_.met["settle." + error_of(reply)];
            co_await pause{world_, 5000};
            if (hardware_.at(n).open) {
                empty(n);
                co_await pause{world_, 3000};
                hardware_.shut(n);
                co_await pause{world_, 3000};
            }
        }
        done.give("done");
    }

    // Staff take out what lies in a compartment that they were sent to look into: its owner is called.
    void empty(int n) {
        auto& d = hardware_.at(n);
        for (const auto& p : d.papers) {
            taken_.insert(p);
            world_.note("papers.rescued", p);
        }
        d.papers.clear();
        d.left.clear();
    }

    // ---- those who mean ill
    actor attacker() {
        for (;;) {
            co_await pause{world_, world_.rng.between(1, 120) * minute};
            const auto what = world_.rng.below(8);
            ++world_.met["attack"];
            if (what == 0) {  // guesses at the keypad
                for (int i = 0; i < 30; ++i) {
                    const auto eight = static_cast<std::uint32_t>(world_.rng.below(100'000'000));
                    const auto nine = fmt::format("{:08}{}", eight, locker::luhn_digit(eight));
                    process_->enter("keypad", nine, [](std::string) {});
                    co_await pause{world_, world_.rng.between(100, 4000)};
                }
            } else if (what == 1 && !captured_.empty()) {  // an operator who replays what passed the broker
                const auto& [name, payload] =
                    captured_[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(captured_.size())))];
                broker_.command(name, payload);
                auto o = boost::json::parse(payload).as_object();
                o["id"] = "evil-" + std::to_string(++ids_);
                o["expires_at"] = locker::format_time(world_.true_wall() + 60'000);
                broker_.command(name, boost::json::serialize(o));
            } else if (what == 2) {  // … or forges
                const auto n =
                    static_cast<int>(world_.rng.between(1, static_cast<std::int64_t>(hardware_.doors.size())));
                (void)command("open", {}, token("open", "", n, false, false));
            } else if (what == 3) {  // … or floods
                for (int i = 0; i < 25; ++i) {
                    broker_.command("open", "{\"id\":\"x" + std::to_string(i) + "\",\"expires_at\":");
                    (void)command("open", {}, token("open", "", 1, false, false));
                }
            } else if (what == 4) {  // a QR code for the front, sent over MQTT, and the other way round
                (void)command("open", {}, token("open", "", 1, true));
                process_->enter("scanner", token("open", "", 1, false), [](std::string) {});
            } else if (what == 5) {
                broker_.put_retained("status", R"({"online":false})");
                broker_.put_retained("alarm/forced/1", R"({"since":"2026-01-01T00:00:00.000Z"})");
                if (!captured_.empty()) {
                    broker_.put_retained("command/" + captured_.back().first, captured_.back().second);
                    broker_.retained.erase("command/" + captured_.back().first);
                }
            } else if (what == 6) {  // a genuine grant, held back until it has expired
                const auto n =
                    static_cast<int>(world_.rng.between(1, static_cast<std::int64_t>(hardware_.doors.size())));
                const std::string late = token("open", "", n, false);
                co_await pause{world_, world_.rng.between(1, 30) * minute};
                (void)command("open", {}, late);
                co_await pause{world_, 20'000};
                hardware_.shut(n);
            } else {  // somebody else's slip, an old code
                process_->enter("keypad", code("in-1", 0), [](std::string) {});
                co_await pause{world_, 3000};
                const int n = where("in-1");
                if (n != 0 && take_out(n, "in-1")) {
                    ++world_
                          .met["attack.stolen_code"];  // who holds a genuine code gets the papers: it is what it is for
                    hardware_.shut(n);
                }
            }
        }
    }

    // ---- faults that come and go
    actor trouble() {
        for (;;) {
            co_await pause{world_, world_.rng.between(1, 90) * minute};
            const std::int64_t lasts =
                world_.rng.chance(500) ? world_.rng.between(50, 20'000) : world_.rng.between(1, 60) * minute;
            start_trouble(world_.rng.below(13), lasts);
        }
    }

    // Right after a pulse, before anybody knows what came of it.
    void worst_moment(std::size_t board) {
        auto& rng = world_.rng;
        if (swarm_.kills && rng.chance(40)) {
            world_.after(rng.between(0, 300), [this] { process_->kill(); });
        }
        if (swarm_.powers && rng.chance(40)) {
            world_.after(rng.between(0, 300), [this] { process_->power(); });
        }
        if (swarm_.boards && rng.chance(60)) {
            world_.note("fault.board_silent_after_pulse");
            hardware_.boards[board].silent = true;
            world_.after(rng.between(1000, 20'000), [this, board] {
                hardware_.boards[board].silent = false;
                hardware_.touch();
            });
        }
    }

    door& any_door() {
        return hardware_
            .doors[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(hardware_.doors.size())))];
    }

    void start_trouble(std::int64_t which, std::int64_t lasts) {
        auto& rng = world_.rng;
        const auto board = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(hardware_.boards.size())));
        if (which == 0 && swarm_.line) {
            world_.note("fault.line_pulled");
            hardware_.line_pulled = true;
            hardware_.touch();
            world_.after(lasts, [this] {
                hardware_.line_pulled = false;
                hardware_.touch();
            });
        } else if (which == 1 && swarm_.boards) {
            world_.note("fault.board_silent");
            hardware_.boards[board].silent = true;
            hardware_.touch();
            world_.after(lasts, [this, board] {
                hardware_.boards[board].silent = false;
                hardware_.touch();
            });
        } else if (which == 2 && swarm_.boards) {
            world_.note("fault.board_flaky");
            hardware_.boards[board].garbled = static_cast<int>(rng.between(1, 300));
            hardware_.boards[board].mute = static_cast<int>(rng.between(1, 300));
            hardware_.touch();
            world_.after(std::min<std::int64_t>(lasts, 5 * minute), [this, board] {
                hardware_.boards[board].garbled = hardware_.boards[board].mute = 0;
                hardware_.touch();
            });
        } else if (which == 3 && swarm_.contacts) {
            auto& d = any_door();
            world_.note("fault.contact");
            d.feedback = rng.chance(500) ? door::contact::stuck_open : door::contact::stuck_shut;
            hardware_.touch();
            world_.after(lasts, [this, n = d.number] {
                hardware_.at(n).feedback = door::contact::good;
                hardware_.touch();
            });
        } else if (which == 4 && swarm_.jams) {
            auto& d = any_door();
            world_.note("fault.jam");
            d.jammed = true;
            world_.after(lasts, [this, n = d.number] { hardware_.at(n).jammed = false; });
        } else if (which == 5 && swarm_.broker) {
            world_.note("fault.broker_gone");
            broker_.reachable = false;
            broker_.break_connection();
            world_.after(lasts, [this] { broker_.reachable = true; });
        } else if (which == 6 && swarm_.broker) {
            world_.note("fault.broker_flaky");
            broker_.drops = static_cast<int>(rng.between(1, 200));
            broker_.duplicates = static_cast<int>(rng.between(1, 300));
            broker_.slowest_ms = rng.between(10, 3000);
            world_.after(lasts, [this] {
                broker_.drops = broker_.duplicates = 0;
                broker_.slowest_ms = 80;
            });
        } else if (which == 7 && swarm_.clock) {
            world_.note("fault.clock");
            auditor_.clock_faulty = true;
            process_->clock.synchronised = rng.chance(300);
            process_->clock.offset_ms = rng.between(-3, 3) * (rng.chance(500) ? day : minute);
            world_.after(lasts, [this] {
                process_->clock.offset_ms = 0;
                process_->clock.synchronised = true;
            });
        } else if (which == 8 && swarm_.disk) {
            world_.note("fault.disk");
            disk_.write_fails = static_cast<int>(rng.between(0, 20'000));
            disk_.sync_fails = static_cast<int>(rng.between(0, 50'000));
            disk_.read_fails = static_cast<int>(rng.between(0, 500));
            world_.after(lasts, [this] { disk_.write_fails = disk_.sync_fails = disk_.read_fails = 0; });
        } else if (which == 9 && swarm_.full) {
            world_.note("fault.disk_full");
            process_->space_is_low = true;
            disk_.full = rng.chance(500);
            world_.after(lasts, [this] { process_->space_is_low = disk_.full = false; });
        } else if (which == 10 && swarm_.kills) {
            process_->kill();
        } else if (which == 11 && swarm_.powers) {
            if (rng.chance(500)) {
                process_->power();
            } else {
                world_.cuts = {world_.port_calls + static_cast<std::uint64_t>(rng.between(1, 200))};
            }
        } else if (which == 12 && swarm_.stops) {
            process_->stop();
        }
    }

    // ---- the end: faults stop; everything drains; every owner gets their papers
    void peace() {
        world_.cuts.clear();
        swarm_ = {};
        hardware_.line_pulled = false;
        for (auto& b : hardware_.boards) {
            b = {};
        }
        broker_.reachable = true;
        broker_.drops = broker_.duplicates = 0;
        broker_.slowest_ms = 80;
        disk_.write_fails = disk_.sync_fails = disk_.read_fails = 0;
        disk_.full = process_->space_is_low = false;
        process_->clock.offset_ms = 0;
        process_->clock.synchronised = true;
        for (auto& d : hardware_.doors) {
            d.jammed = false;
            d.feedback = door::contact::good;
        }
        hardware_.touch();
        world_.note("peace");
        // what had begun ends: people give up or go on within a few hours
        world_.run_until(world_.now + 6 * hour);
        for (const auto& d : hardware_.doors) {
            if (world_.now - d.opened_at > 10 * minute) {  // nobody stands there any more
                hardware_.shut(d.number);
            }
        }
        world_.run_until(world_.now + hour);
        if (!process_->running()) {
            throw violation("I11 lockerd does not come up again");
        }
        for (const auto& dep : std::set<std::string>(owners_)) {
            if (taken_.count(dep) == 0) {
                answer a(world_);
                bool over = false;
                last_chance(dep, a, over);
                world_.run_until(world_.now + 10 * day);
                if (!over || taken_.count(dep) == 0) {
                    throw violation("I11 the owner of " + dep + " cannot get the papers, door " +
                                    std::to_string(true_place(dep)) + ": " + last_said_);
                }
            }
        }
        world_.run_until(world_.now + hour);
        check_retained();
        auditor_.drained(auditor_.head());
    }

    int true_place(const std::string& dep) const {
        for (const auto& d : hardware_.doors) {
            if (d.papers.count(dep) != 0) {
                return d.number;
            }
        }
        return 0;
    }

    // Phone or not: a code at the keypad, with the door's number when it is locked out.
    actor last_chance(std::string dep, answer done, bool& over) {
        answer word = confirm(dep);
        (void)co_await word;
        auto& issue = issues_[dep];
        for (int tries = 0; tries < 16 && taken_.count(dep) == 0; ++tries) {
            answer a(world_);
            const int n = where(dep);
            const auto state = auditor_.deposits().find(dep);
            if (state != auditor_.deposits().end() && state->second == "reserved") {
                // A contact that lied had the opening called jammed: the same grant opens its compartment again.
                process_->enter("scanner", token("deposit", dep, 0, true, true, 3600),
                                [a](std::string t) mutable { a.give(std::move(t)); });
            } else {
                process_->enter("keypad", fmt::format("{}#{}", n, code(dep, issue)),
                                [a](std::string t) mutable { a.give(std::move(t)); });
            }
            last_said_ = co_await a;
            ++world_.met["last." + last_said_];
            co_await pause{world_, 4000};
            if (hardware_.at(n).open) {
                look_inside(n, dep);
                take_out(n, dep);
                hardware_.shut(n);
                co_await pause{world_, 3000};
                break;
            }
            if (last_said_ == "wrong_code") {
                ++issue;
            }
            if (last_said_ == "wrong_code" || last_said_ == "locked_out") {
                co_await pause{world_, 13 * hour};
            }
        }
        over = true;
        done.give("over");
    }

    // What the world is shown is what is true: no compartment is offered in which something lies.
    void check_retained() {
        for (const auto& d : hardware_.doors) {
            const auto at = broker_.retained.find("compartment/" + std::to_string(d.number));
            if (at == broker_.retained.end()) {
                throw violation("I5 no state of compartment " + std::to_string(d.number) + " is retained");
            }
            const auto o = boost::json::parse(at->second).as_object();
            bool kept = false;
            for (const auto& p : d.papers) {
                kept = kept || d.left.count(p) == 0;
            }
            if (kept && o.at("use").as_string() == "vacant") {
                throw violation("I10 compartment " + std::to_string(d.number) +
                                " is shown vacant, and papers lie in it");
            }
        }
        const auto status = broker_.retained.find("status");
        if (status == broker_.retained.end() || status->second.find("\"online\":true") == std::string::npos) {
            throw violation("I5 the retained status does not say online");
        }
    }

    town_options options_;
    world world_;
    swarm swarm_;
    auditor auditor_;
    hardware hardware_;
    broker broker_;
    disk disk_;
    locker::key256 seed_{};
    locker::key256 forged_{};
    locker::key256 key_{};
    std::string epoch_;
    std::map<std::string, answer> replies_;
    std::map<std::string, int> places_;
    std::map<std::string, std::uint64_t> issues_;
    std::set<std::string> held_;    // in somebody's hands, on the way in
    std::set<std::string> taken_;   // back in the right hands
    std::set<std::string> owners_;  // put in, and owed
    std::vector<std::pair<std::string, std::string>> captured_;
    std::string auditor_typed_;
    std::string last_said_;
    bool locked_ = false;
    int ids_ = 0;
    int stories_ = 0;
    std::unique_ptr<process> process_;
};

}  // namespace

town_result run_town(const town_options& options) {
    town t(options);
    return t.run();
}

}  // namespace sim
