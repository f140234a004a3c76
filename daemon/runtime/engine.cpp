#include "daemon/runtime/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>

#include "daemon/runtime/home_assistant.hpp"
#include "protocol/ledger.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"
#include "protocol/timestamp.hpp"
#include "protocol/topic.hpp"

namespace locker {
namespace {

constexpr std::int64_t around_every_ms = 30'000;
constexpr std::int64_t farewell_at_most_ms = 2'000;
constexpr std::int64_t reconnect_first_ms = 250;
constexpr std::int64_t reconnect_longest_ms = 10'000;

log_level level_of(core::note::level l) {
    switch (l) {
        case core::note::level::info:
            return log_level::info;
        case core::note::level::warning:
            return log_level::warning;
        case core::note::level::error:
            return log_level::error;
    }
    return log_level::error;
}

core::entry_via via_of(std::string_view text) {
    if (text == "scanner") {
        return core::entry_via::scanner;
    }
    return text == "socket" ? core::entry_via::socket : core::entry_via::keypad;
}

}  // namespace

engine::engine(core::cabinet_config config, const front_settings& front, showing shown, const clock_port& clock,
               store& disk, broker_port& broker, engine_host& host)
    : shown_(std::move(shown)),
      clock_(clock),
      store_(disk),
      broker_(broker),
      host_(host),
      core_(std::move(config), disk),
      front_(front) {}

void engine::start(const std::string& epoch) {
    entities_shown_ = store_.find("shown", "home_assistant").value_or("");
    for (const auto& [number, row] : store_.all("compartment")) {
        const int door = std::stoi(number);
        if (core_.view().d.compartments.count(door) == 0) {
            doors_gone_.push_back(door);
        }
    }
    give(core::started{epoch, clock_.boot_id(), clock_.trusted()});
    look_around();
    publish_metrics();
    host_.log(log_level::info, fmt::format("event=started cabinet={} version={} compartments={}", core_.config().id,
                                           core_.config().version, core_.config().compartments.size()));
}

void engine::connect() {
    broker_.connect();
}

void engine::due(engine_host::timer which) {
    if (finished_) {
        return;
    }
    switch (which) {
        case engine_host::timer::core:
            give(core::tick{});
            break;
        case engine_host::timer::look_around:
            look_around();
            break;
        case engine_host::timer::metrics:
            publish_metrics();
            break;
        case engine_host::timer::reconnect:
            broker_.connect();
            break;
        case engine_host::timer::farewell:
            finish();
            break;
        case engine_host::timer::commands:
            serve_command();
            break;
        case engine_host::timer::front:
            serve_front();
            break;
    }
}

void engine::hear() {
    if (finished_) {
        return;
    }
    for (const auto& report : host_.reports()) {
        take(report);
    }
    if (core_.facts_wait()) {  // else whatever was decided meanwhile knew them
        give(core::tick{});
    }
}

void engine::take(const bus_report& report) {
    const auto see = [this](const core::input& fact) { core_.see(clock_.now(), fact); };
    if (const auto* pulse = std::get_if<pulse_report>(&report)) {
        see(*pulse);
    } else if (const auto* inputs = std::get_if<inputs_report>(&report)) {
        see(*inputs);
    } else if (const auto* board = std::get_if<board_report>(&report)) {
        host_.log(board->present ? log_level::info : log_level::warning,
                  fmt::format("event={} board={}", board->present ? "board_present" : "board_lost",
                              core_.config().boards.at(static_cast<std::size_t>(board->board))));
        see(*board);
    } else if (const auto* line = std::get_if<line_report>(&report)) {
        host_.log(line->up ? log_level::info : log_level::warning,
                  fmt::format("event={} line={} {}", line->up ? "line_up" : "line_down", line->line,
                              line->why.empty() ? "" : "why=\"" + line->why + "\""));
    }
}

void engine::enter(std::uint64_t entry, std::string_view via, std::string text, std::uint64_t terminal) {
    give(core::entry{entry, via_of(via), std::move(text), terminal});
}

void engine::terminal_gone(std::uint64_t terminal) {
    if (core_.view().l.sessions.count(terminal) != 0) {
        give(core::terminal_gone{terminal});
    }
}

void engine::key(std::size_t input, unsigned code, int value) {
    ask(front_.key(input, code, value, clock_.now().mono_ms));
}

void engine::bytes(std::size_t input, std::string_view chunk) {
    ask(front_.bytes(input, chunk, clock_.now().mono_ms));
}

void engine::keys_missed(std::size_t input) {
    front_.missed(input, clock_.now().mono_ms);
    serve_front();
}

// With a device somebody may have left, or it was changed for another: whoever had signed in signs in again.
void engine::input_present(std::size_t input, bool present, const std::string& why) {
    host_.log(present ? log_level::info : log_level::warning,
              fmt::format("event={} input={}{}", present ? "input_present" : "input_lost",
                          front_.inputs().at(input).name, why.empty() ? "" : " why=\"" + why + "\""));
    front_.presence(input, present);
    terminal_gone(front::terminal);
}

void engine::ask(const front::line& line) {
    if (line && !finished_) {
        give(*line);
        if (front_.asked(line->id)) {
            front_.waits(clock_.now().mono_ms);
        }
    }
    serve_front();
}

void engine::serve_front() {
    for (const auto& order : front_.due(clock_.now().mono_ms)) {
        for (auto* bus : buses_) {
            if (bus->has_board(order.board)) {
                bus->output(order);
            }
        }
    }
    host_.wake(engine_host::timer::front, front_.wake_at());
}

void engine::broker_up() {
    host_.log(log_level::info, "event=broker_up");
    broker_up_ = true;
    broker_told_ = false;
    broker_up_at_ms_ = clock_.now().mono_ms;
    ++connections_;
    give(core::broker_up{});
    forget_doors();
    publish_metrics();
    publish_device();
}

// What is retained of them goes, else every dashboard shows them for ever.
void engine::forget_doors() {
    for (const int door : doors_gone_) {
        publish({topics(core_.config().id).compartment(door), "", 1, true, "", 0});
    }
}

void engine::broker_down(const std::string& why) {
    if (broker_up_ || !broker_told_) {
        host_.log(log_level::warning, fmt::format("event=broker_down why=\"{}\"", why));
        broker_told_ = true;
    }
    if (broker_up_ && clock_.now().mono_ms - broker_up_at_ms_ > reconnect_longest_ms) {
        reconnect_pause_ms_ = 0;  // it held: this is a new outage, not the same one
    }
    broker_up_ = false;
    give(core::broker_down{});
    connect_later();
}

void engine::arrived(broker_message m) {
    const auto& home = shown_.home_assistant;
    if (home.discovery == home_assistant_settings::wish::published && m.topic == home.birth_topic()) {
        if (m.payload == "online") {
            publish_device();
        }
        return;
    }
    core::message in{std::move(m.topic), std::move(m.payload), m.retained, std::move(m.response_topic),
                     std::move(m.correlation)};
    if (!topics(core_.config().id).command_of(in.topic)) {
        give(in);
        return;
    }
    if (commands_.size() >= limits::commands_waiting) {
        in.overload = true;
        give(in);
        return;
    }
    commands_.push_back(std::move(in));
    host_.wake(engine_host::timer::commands, clock_.now().mono_ms);
}

void engine::serve_command() {
    if (commands_.empty()) {
        return;
    }
    const auto next = std::move(commands_.front());
    commands_.pop_front();
    give(next);
    if (!finished_ && !commands_.empty()) {
        host_.wake(engine_host::timer::commands, clock_.now().mono_ms);
    }
}

void engine::acknowledged(std::uint64_t sequence) {
    give(core::event_acknowledged{sequence});
}

void engine::give(const core::input& in) {
    if (finished_) {
        return;
    }
    for (const auto& report : host_.reports()) {
        take(report);
    }
    auto out = core_.step(clock_.now(), in);
    while (out.size() == 1 && std::holds_alternative<core::commit>(out.front())) {
        commit(out);
    }
    for (const auto& e : out) {
        execute(e);
    }
    host_.wake(engine_host::timer::core, core_.wake_at());
    if (stopping_ && core_.view().d.m.published >= farewell_sequence_) {
        finish();
    }
}

// Executes the one effect of `out`, and puts what follows from it in its place.
void engine::commit(core::effects& out) {
    const auto tx = std::move(std::get<core::commit>(out.front()).tx);
    const std::int64_t begin = clock_.now_us();
    auto error = store_.commit(tx);
    if (error == commit_error::full && host_.make_room()) {
        host_.log(log_level::warning, "event=ballast_given_up");
        error = store_.commit(tx);
        host_.wake(engine_host::timer::look_around, clock_.now().mono_ms);  // deposits are refused from now on
    }
    const std::int64_t took_us = clock_.now_us() - begin;
    commits_us_ += took_us;
    slowest_commit_us_ = std::max(slowest_commit_us_, took_us);
    ++commits_;
    if (error == commit_error::none) {
        for (const auto& row : tx.rows) {
            host_.log(log_level::info, fmt::format("event={} sequence={} subject={} data={}", row.type, row.sequence,
                                                   row.subject, row.data));
            host_.recorded(cloud_event(row, topics(core_.config().id).root()));
        }
    } else {
        host_.log(log_level::error, fmt::format("event=commit_failed why=\"{}\"", store_.last_error()));
    }
    out = core_.step(clock_.now(), core::commit_done{error});
}

void engine::execute(const core::effect& e) {
    if (const auto* p = std::get_if<core::publish>(&e)) {
        publish({p->topic, p->payload, p->qos, p->retain, p->correlation, p->sequence});
    } else if (const auto* order = std::get_if<core::pulse>(&e)) {
        for (auto* bus : buses_) {
            if (bus->serves(order->order.compartment)) {
                bus->pulse(order->order);
                return;
            }
        }
        host_.report_later({order->order.opening, order->order.attempt, pulse_result::not_sent});
    } else if (const auto* answer = std::get_if<core::entry_answer>(&e)) {
        if (front_.asked(answer->id)) {
            front_.answered(answer->reply, clock_.now().mono_ms);
            serve_front();
        }
        host_.answered(answer->id, answer->reply);
    } else if (const auto* note = std::get_if<core::note>(&e)) {
        host_.log(level_of(note->severity), note->text);
    }
}

// What is not sent now is sent after the next connect: events from the outbox, state as a whole.
void engine::publish(outgoing_message m) {
    if (broker_.publish(std::move(m))) {
        ++published_;
    }
}

void engine::connect_later() {
    if (stopping_) {
        return;
    }
    reconnect_pause_ms_ = std::clamp(reconnect_pause_ms_ * 2, reconnect_first_ms, reconnect_longest_ms);
    host_.wake(engine_host::timer::reconnect, clock_.now().mono_ms + reconnect_pause_ms_);
}

// Clock and free space, now and then.
void engine::look_around() {
    const auto now = clock_.now();
    const std::int64_t offset = now.wall_ms - now.mono_ms;
    if (clock_.trusted() != core_.view().l.clock_trusted || std::abs(offset - clock_offset_ms_) > 1000) {
        give(core::clock_report{clock_.trusted()});
    }
    clock_offset_ms_ = offset;
    look_at_storage();
    host_.wake(engine_host::timer::look_around, clock_.now().mono_ms + around_every_ms);
}

void engine::look_at_storage() {
    const auto found = host_.storage();
    medium_ = found.medium;
    const auto& known = core_.view().l;
    if (found.low != known.space_low || wears_out(medium_) != known.medium_worn) {
        give(core::space_report{found.low, wears_out(medium_)});
    }
}

void engine::publish_metrics() {
    using boost::json::object;
    host_.wake(engine_host::timer::metrics, clock_.now().mono_ms + shown_.metrics_every_ms);
    if (!broker_up_) {
        return;
    }
    object counters;
    for (const auto& [name, value] : core_.view().l.counters) {
        counters[name] = value;
    }
    object buses;
    for (const auto* bus : buses_) {
        const auto c = bus->counters();
        buses[bus->name()] = object{{"requests", c.requests}, {"failures", c.failures}, {"pulses", c.pulses}};
    }
    object inputs;
    for (std::size_t i = 0; i < front_.inputs().size(); ++i) {
        const auto& c = front_.counters(i);
        inputs[front_.inputs()[i].name] =
            object{{"present", c.present}, {"lines", c.lines}, {"dropped", c.dropped}, {"early", c.early}};
    }
    object medium{{"free_mb", medium_.free_bytes >> 20U}};
    const auto put = [&medium](std::string_view member, const auto& value) {
        if (value) {
            medium[member] = *value;
        }
    };
    put("written_mb", medium_.written_mb);
    put("lifetime_written_mb", medium_.lifetime_written_mb);
    put("errors", medium_.errors);
    put("life_used_percent", medium_.life_used_percent);
    put("pre_eol", medium_.pre_eol);
    const object metrics{{"at", format_time(clock_.now().wall_ms)},
                         {"every_ms", shown_.metrics_every_ms},
                         {"uptime_ms", clock_.now().mono_ms - core_.view().l.started_mono},
                         {"sequence", core_.view().d.m.sequence},
                         {"unpublished", core_.view().d.m.sequence - core_.view().d.m.published},
                         {"store", object{{"commits", commits_},
                                          {"commits_us", commits_us_},
                                          {"slowest_commit_us", slowest_commit_us_},
                                          {"medium", std::move(medium)}}},
                         {"broker", object{{"published", published_}, {"connections", connections_}}},
                         {"bus", std::move(buses)},
                         {"inputs", std::move(inputs)},
                         {"locks", boost::json::parse(core_.health(clock_.now()))},
                         {"counters", std::move(counters)}};
    publish({topics(core_.config().id).metrics(), boost::json::serialize(metrics), 0, true, "", 0});
}

// Retained, so that Home Assistant finds it whenever it starts; removed as it asks for: by an empty one.
void engine::publish_device() {
    const auto& wish = shown_.home_assistant;
    if (!broker_up_ || wish.discovery == home_assistant_settings::wish::silent) {
        return;
    }
    home_assistant_document document;
    if (wish.discovery == home_assistant_settings::wish::published) {
        document = home_assistant_device(core_.config(), entities_shown_);
    }
    if (document.shown != entities_shown_) {
        transaction tx;
        tx.writes.push_back(
            {"shown", "home_assistant", document.shown.empty() ? std::nullopt : std::optional(document.shown)});
        if (store_.commit(tx) != commit_error::none) {  // then it is as if this version had never been shown
            host_.log(log_level::warning, fmt::format("event=entities_not_kept why=\"{}\"", store_.last_error()));
        }
        entities_shown_ = document.shown;
    }
    publish({wish.config_topic(core_.config().id), std::move(document.payload), 1, true, "", 0});
}

void engine::stop() {
    host_.log(log_level::info, "event=stopping");
    buses_.clear();
    give(core::stop{});
    stopping_ = true;
    farewell_sequence_ = core_.view().d.m.sequence;
    if (!broker_up_) {
        finish();
        return;
    }
    host_.wake(engine_host::timer::farewell, clock_.now().mono_ms + farewell_at_most_ms);
}

void engine::finish() {
    if (!finished_) {
        finished_ = true;
        host_.finished();
    }
}

std::string engine::rows(std::uint64_t from, std::uint64_t limit) const {
    std::string out = "[";
    for (const auto& row : store_.rows(from, UINT64_MAX, limit)) {
        if (out.size() > 1) {
            out += ',';
        }
        out += boost::json::serialize(boost::json::object{{"sequence", row.sequence},
                                                          {"wall_ms", row.wall_ms},
                                                          {"mono_ms", row.mono_ms},
                                                          {"boot", row.boot},
                                                          {"type", row.type},
                                                          {"subject", row.subject},
                                                          {"data", row.data},
                                                          {"previous", to_hex(row.previous)},
                                                          {"hash", to_hex(row.hash)}});
    }
    return out + "]";
}

}  // namespace locker
