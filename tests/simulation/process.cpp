#include "tests/simulation/process.hpp"

#include <boost/json.hpp>

namespace sim {

using locker::line_action;

// The production store, with the world looking on: a power cut inside a call ends the process after it.
class process::watched_store : public locker::store {
    void dead() const {
        if (world_.power_lost) {
            throw power_cut{};
        }
    }
    template <typename F>
    auto watched(F f) const {
        try {
            auto out = f();
            dead();
            return out;
        } catch (const locker::archive_error&) {
            dead();
            throw;
        }
    }

public:
    watched_store(world& w, auditor& a) : world_(w), auditor_(a), store_("locker.db") { dead(); }

    locker::commit_error commit(const locker::transaction& tx) override {
        world_.port_or_die("store.commit", std::to_string(tx.rows.size()));
        const auto error = store_.commit(tx);
        dead();
        if (error == locker::commit_error::none) {
            auditor_.committed(tx);
        } else {
            world_.note("store.commit_failed", store_.last_error());
        }
        return error;
    }
    std::string last_error() const override { return store_.last_error(); }
    std::optional<std::string> find(std::string_view kind, std::string_view key) const override {
        return watched([&] { return store_.find(kind, key); });
    }
    std::vector<std::pair<std::string, std::string>> all(std::string_view kind) const override {
        return watched([&] { return store_.all(kind); });
    }
    std::vector<locker::ledger_row> rows(std::uint64_t from, std::uint64_t to, std::uint64_t limit) const override {
        return watched([&] { return store_.rows(from, to, limit); });
    }
    std::uint64_t earliest() const override {
        return watched([&] { return store_.earliest(); });
    }

private:
    world& world_;
    auditor& auditor_;
    locker::sqlite_store store_;
};

// The production bus master on a simulated line. Polls that could see nothing new are not spent time on.
class process::polled_line : public locker::lock_bus {
public:
    polled_line(process& owner, std::uint64_t life) : owner_(owner), life_(life), master_(owner.bus_settings_, guard_) {
        owner_.hardware_.changed = [this] { stir(); };
        stir();
    }
    ~polled_line() override { owner_.hardware_.changed = nullptr; }

    void pulse(const locker::pulse_order& order) override {
        owner_.world_.port_or_die("line.order", std::to_string(order.compartment));
        owner_.world_.after(owner_.world_.held_up_ms, [&owner = owner_, life = life_, this, order] {
            if (still_there(owner, life, this)) {
                master_.order(order);
                stir();
            }
        });
    }
    bool serves(int compartment) const override { return master_.serves(compartment); }
    void output(const locker::output_order& order) override {
        master_.order(order);
        stir();
    }
    bool has_board(int board) const override { return master_.has_board(board); }
    const std::string& name() const override { return owner_.bus_settings_.line.name; }
    locker::bus_counters counters() const override { return master_.counters(); }

private:
    void later(std::int64_t when, void (polled_line::*what)()) {
        const auto turn = ++turn_;
        owner_.world_.at(when, [&owner = owner_, life = life_, this, turn, what] {
            if (still_there(owner, life, this) && turn_ == turn) {
                owner.perform([&] { (this->*what)(); });
            }
        });
    }
    static bool still_there(const process& owner, std::uint64_t life, const polled_line* line);
    void stir() {
        if (!busy_) {
            later(owner_.world_.now, &polled_line::go_on);
        }
        restless_ = 0;
    }
    void go_on() {
        tell();
        const std::int64_t now = owner_.world_.now;
        const std::int64_t mono = owner_.clock.at(now).mono_ms;
        action_ = master_.next(mono);
        tell();
        if (action_.what == line_action::kind::wait) {
            later(std::max(now + 1, now + action_.until - mono), &polled_line::go_on);
            return;
        }
        // All boards were read since the last change, and nothing is wrong: the next polls say the same again.
        if (action_.what == line_action::kind::read && owner_.hardware_.quiet() &&
            ++restless_ > 4 * static_cast<int>(owner_.hardware_.boards.size()) && owner_.hardware_.settled()) {
            later(now + 10 * minute, &polled_line::go_on);
            return;
        }
        restless_ =
            action_.what == line_action::kind::read ? restless_ : 0;  // a board that is back wants its first read
        busy_ = true;
        later(now + owner_.hardware_.cost(action_), &polled_line::done);
    }
    void done() {
        busy_ = false;
        const auto answer = owner_.hardware_.execute(action_, owner_.bus_settings_);
        master_.done(answer, owner_.clock.at(owner_.world_.now).mono_ms);
        later(owner_.world_.now, &polled_line::go_on);
        tell();
    }
    void tell();

    process& owner_;
    std::uint64_t life_;
    locker::governor guard_;
    locker::bus_master master_;
    line_action action_;
    bool busy_ = false;
    int restless_ = 0;
    std::uint64_t turn_ = 0;
};

struct process::one_life {
    explicit one_life(process& p)
        : store(p.world_, p.auditor_),
          engine(p.config_, p.front_settings_, {12 * hour, {}}, p.clock, store, p.broker_, p) {}
    watched_store store;
    locker::engine engine;
    std::unique_ptr<polled_line> line;
    std::array<std::uint64_t, engine_host::timers> timers{};
    std::array<std::int64_t, engine_host::timers> set_for{};
};

bool process::polled_line::still_there(const process& owner, std::uint64_t life, const polled_line* line) {
    return owner.lives_ == life && owner.alive_ != nullptr && owner.alive_->line.get() == line;
}

void process::polled_line::tell() {
    const auto told = master_.take_reports();
    if (!told.empty()) {
        owner_.reports_.insert(owner_.reports_.end(), told.begin(), told.end());
        if (owner_.busy()) {
            owner_.run([&p = owner_] { p.alive_->engine.hear(); });
        } else {
            owner_.alive_->engine.hear();
        }
    }
}

process::process(world& w, auditor& a, hardware& h, broker& b, disk& d, locker::core::cabinet_config config,
                 locker::bus_settings bus, locker::front_settings settings)
    : clock(w),
      front(w, settings,
            {[this] { return alive_ != nullptr && !farewell_; },
             [this](const desk::stroke& s, const std::shared_ptr<visit>& who) { stroke(s, who); },
             [this](std::size_t input, bool present) {
                 run([this, input, present] { alive_->engine.input_present(input, present, ""); });
             },
             [this](std::size_t input) { run([this, input] { alive_->engine.keys_missed(input); }); }}),
      world_(w),
      auditor_(a),
      hardware_(h),
      broker_(b),
      disk_(d),
      config_(std::move(config)),
      bus_settings_(std::move(bus)),
      front_settings_(std::move(settings)) {
    broker_.up = [this] { run([this] { alive_->engine.broker_up(); }); };
    broker_.down = [this](const std::string& why) { run([this, why] { alive_->engine.broker_down(why); }); };
    broker_.arrived = [this](const locker::broker_message& m) { run([this, m] { alive_->engine.arrived(m); }); };
    broker_.acknowledged = [this](std::uint64_t n) { run([this, n] { alive_->engine.acknowledged(n); }); };
}

process::~process() = default;

// Whatever goes into the engine goes through here, in its order.
void process::run(std::function<void()> what) {
    if (alive_ == nullptr || farewell_) {
        return;
    }
    if (busy()) {
        inbox_.push_back(std::move(what));
    } else {
        perform(what);
    }
}

// A power cut inside ends this life; a slow call keeps everything else waiting.
void process::perform(const std::function<void()>& what) {
    try {
        what();
    } catch (const power_cut&) {
        end(true);
        return;
    } catch (const std::logic_error& e) {
        throw violation(std::string("the engine broke: ") + e.what());
    }
    if (farewell_) {  // finished() was called inside
        farewell_ = false;
        end(false, true);
    } else if (world_.power_lost) {
        end(true);
    } else if (world_.held_up_ms > 0) {
        busy_until_ = std::max(busy_until_, world_.now) + std::exchange(world_.held_up_ms, 0);
        world_.at(busy_until_, [this, life = lives_] {
            while (life == lives_ && world_.now >= busy_until_ && !inbox_.empty()) {
                const auto next = std::move(inbox_.front());
                inbox_.pop_front();
                perform(next);
            }
        });
    }
}

void process::start() {
    if (alive_ != nullptr) {
        return;
    }
    ++lives_;
    try {
        alive_ = std::make_unique<one_life>(*this);
        const auto found = alive_->store.rows(1, UINT64_MAX, UINT64_MAX);

        auditor_.ledger_found(found);
        hardware_.forget_drops();
    } catch (const power_cut&) {
        end(true);
        return;
    } catch (const violation&) {
        throw;
    } catch (const std::logic_error& e) {
        throw violation(std::string("the engine broke at start: ") + e.what());
    } catch (const std::runtime_error& e) {  // the medium failed: systemd tries again
        world_.note("process.start_failed", e.what());
        end(world_.power_lost);
        return;
    }
    world_.note("process.start");
    world_.held_up_ms = 0;  // nobody waited yet
    const std::string epoch = "epoch-" + std::to_string(world_.rng.below(1'000'000'000));
    auditor_.process_started(epoch);
    run([this, epoch] { alive_->engine.start(epoch); });
    if (alive_ == nullptr) {
        return;
    }
    alive_->line = std::make_unique<polled_line>(*this, lives_);
    alive_->engine.attach(*alive_->line);
    front.started();
    run([this] { alive_->engine.connect(); });
}

void process::end(bool power, bool clean) {
    if (alive_ != nullptr) {
        world_.power_lost = world_.power_lost || !clean;  // who dies writes nothing more
        alive_.reset();
        power = power || (clean && world_.power_lost);
        world_.power_lost = false;
    }
    ++lives_;
    inbox_.clear();
    reports_.clear();
    busy_until_ = world_.held_up_ms = 0;
    auditor_.process_ended();
    broker_.process_died();
    front.died();
    std::vector<std::function<void(std::string)>> unanswered;
    for (auto& [id, who] : std::exchange(waiting_, {})) {
        unanswered.push_back(who.answer);
    }
    for (const auto& who : std::exchange(visits_, {})) {
        unanswered.push_back(who->answer);
    }
    for (auto& answer : unanswered) {
        if (answer) {
            world_.after(1, [answer] { answer(""); });
        }
    }
    world_.power_lost = false;
    if (power) {
        world_.say("the power goes");
        ++world_.met["power_cut"];
        disk_.power_cut();
        ++clock.boot;
    } else {
        disk_.process_died();
    }
    if (restarts) {
        const auto life = lives_;
        world_.after(power ? world_.rng.between(5000, 90'000) : world_.rng.between(200, 3000), [this, power, life] {
            if (life == lives_) {
                if (power) {
                    clock.booted_at = world_.now;
                }
                start();
            }
        });
    }
}

void process::kill() {
    if (alive_ != nullptr) {
        world_.note("process.killed");
        end(false);
    }
}

void process::power() {
    if (alive_ != nullptr) {
        world_.note("process.power_cut");
        end(true);
    }
}

void process::stop() {
    if (alive_ != nullptr) {
        world_.note("process.stopped");
        run([this] {
            alive_->line.reset();
            alive_->engine.stop();
        });
    }
}

void process::finished() {
    farewell_ = true;
}

void process::wake(timer which, std::int64_t mono_ms) {
    // Also called while `alive_` is being made: then nothing is due yet.
    if (alive_ == nullptr) {
        return;
    }
    auto& turn = alive_->timers.at(static_cast<std::size_t>(which));
    auto& set_for = alive_->set_for.at(static_cast<std::size_t>(which));
    if (mono_ms == set_for) {
        return;  // it is on its way
    }
    set_for = mono_ms;
    const auto mine = ++turn;
    if (mono_ms == INT64_MAX) {
        return;
    }
    const auto life = lives_;
    world_.after(std::max<std::int64_t>(0, mono_ms - clock.at(world_.now).mono_ms), [this, which, mine, life] {
        if (life == lives_ && alive_ != nullptr && alive_->timers.at(static_cast<std::size_t>(which)) == mine) {
            alive_->set_for.at(static_cast<std::size_t>(which)) = -1;
            run([this, which] { alive_->engine.due(which); });
        }
    });
}

void process::report_later(const locker::pulse_report& report) {
    const auto life = lives_;
    world_.after(0, [this, report, life] {
        if (life == lives_) {
            reports_.emplace_back(report);
            run([this] { alive_->engine.hear(); });
        }
    });
}

void process::enter(const std::string& via, const std::string& text, std::function<void(std::string)> answer) {
    front.enter({via, text, std::move(answer)});
}

void process::stroke(const desk::stroke& s, const std::shared_ptr<visit>& who) {
    const auto press = [this, s] {
        for (const auto& k : s.keys) {
            alive_->engine.key(s.input, k.code, k.value);
        }
        if (!s.bytes.empty()) {
            alive_->engine.bytes(s.input, s.bytes);
        }
    };
    if (!s.last) {
        run(press);
        return;
    }
    world_.note("entry", who->via);
    // As the auditor reads it: the nine digits, and the door's number before them.
    const auto& text = who->text;
    const auto hash = text.find('#');
    const int door = hash == std::string::npos ? 0 : std::atoi(text.substr(0, hash).c_str());
    std::string digits = text.substr(hash == std::string::npos ? 0 : hash + 1);
    std::erase(digits, ' ');
    const bool deed = digits.size() <= 3;  // no code, no staff code, no grant
    const bool keys = who->via == "keypad";
    const auto life = lives_;
    visits_.push_back(who);
    run([this, press, digits, keys, door, deed, who, life] {
        const auto lines = [&] {
            std::uint64_t all = 0;
            for (std::size_t i = 0; i < front_settings_.inputs.size(); ++i) {
                all += alive_->engine.at_front().counters(i).lines;
            }
            return all;
        };
        // Its number, should the front take it: it counts them.
        const std::uint64_t before = lines();
        const std::uint64_t id = locker::front::terminal + before + 1;
        std::erase(visits_, who);
        waiting_[id] = {keys, door, who->answer};
        auditor_.entering(digits, keys, door, deed);
        press();
        auditor_.entered();
        if (life == lives_ && alive_ != nullptr && lines() == before) {
            ++world_.met["front.not_taken"];
            world_.after(1, [answer = who->answer] {
                if (answer) {
                    answer(R"({"ok":false,"error":{"code":"busy","message":"wait"}})");
                }
            });
            waiting_.erase(id);
        }
    });
}

void process::answered(std::uint64_t entry, const std::string& reply) {
    world_.port_or_die("entry.answer", reply);
    const auto at = waiting_.find(entry);
    if (at == waiting_.end()) {
        return;
    }
    const auto o = boost::json::parse(reply).as_object();
    const std::string code =
        o.at("ok").as_bool() ? "ok" : std::string(o.at("error").as_object().at("code").as_string().c_str());
    auditor_.answered(code, at->second.front, at->second.door);
    world_.after(1, [answer = at->second.answer, reply] {
        if (answer) {
            answer(reply);
        }
    });
    waiting_.erase(at);
}

std::vector<locker::ledger_row> process::ledger() const {
    return alive_->store.rows(1, UINT64_MAX, UINT64_MAX);
}

std::string process::status() const {
    return alive_ == nullptr ? "" : alive_->engine.status();
}

}  // namespace sim
