#include "daemon/runtime/runtime.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <chrono>

#include "daemon/runtime/log.hpp"
#include "protocol/ledger.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"
#include "protocol/topic.hpp"

namespace locker {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::uint64_t low_space_bytes = 16ULL * 1024 * 1024;
constexpr auto around_every = std::chrono::seconds(30);
constexpr auto farewell_at_most = std::chrono::seconds(2);
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

core::entry_via via_of(const std::string& text) {
    if (text == "scanner") {
        return core::entry_via::scanner;
    }
    return text == "socket" ? core::entry_via::socket : core::entry_via::keypad;
}

}  // namespace

runtime::runtime(settings given)
    : settings_(std::move(given)),
      clock_(settings_.battery_backed_clock),
      store_(settings_.state_folder + "/locker.db"),
      core_(settings_.cabinet, store_) {
    control_ = std::make_unique<control_server>(
        io_, settings_.control_socket,
        control_handlers{[this](std::uint64_t id, const std::string& via, std::string text) {
                             give(core::entry{id, via_of(via), std::move(text)});
                         },
                         [this] { return core_.snapshot(clock_.now()); },
                         [this](std::uint64_t from, std::uint64_t limit) { return rows(from, limit); }});
    auto broker = settings_.broker;
    broker.will_payload = offline_status;
    broker_ = std::make_unique<paho_broker>(
        std::move(broker),
        broker_listener{[this] {
                            asio::post(io_, [this] {
                                log(log_level::info, "event=broker_up");
                                broker_up_ = true;
                                broker_told_ = false;
                                broker_up_at_ms_ = clock_.now().mono_ms;
                                give(core::broker_up{});
                                publish_metrics();
                            });
                        },
                        [this](std::string why) {
                            asio::post(io_, [this, why = std::move(why)] {
                                if (broker_up_ || !broker_told_) {
                                    log(log_level::warning, fmt::format("event=broker_down why=\"{}\"", why));
                                    broker_told_ = true;
                                }
                                if (broker_up_ && clock_.now().mono_ms - broker_up_at_ms_ > reconnect_longest_ms) {
                                    reconnect_pause_ms_ = 0;  // it held: this is a new outage, not the same one
                                }
                                broker_up_ = false;
                                give(core::broker_down{});
                                connect_later();
                            });
                        },
                        [this](broker_message m) {
                            asio::post(io_, [this, m = std::move(m)]() mutable {
                                give(core::message{std::move(m.topic), std::move(m.payload), m.retained,
                                                   std::move(m.response_topic), std::move(m.correlation)});
                            });
                        },
                        [this](std::uint64_t sequence) {
                            asio::post(io_, [this, sequence] { give(core::event_acknowledged{sequence}); });
                        }});
}

runtime::~runtime() = default;

int runtime::run() {
    asio::signal_set signals(io_, SIGTERM, SIGINT);
    signals.async_wait([this](boost::system::error_code error, int) {
        if (!error) {
            stop();
        }
    });
    give(core::started{to_hex(random_bytes(8)), clock_.boot_id(), clock_.trusted()});
    // Only now: the first thing a board hears is "off", and what it says has somebody who listens.
    for (const auto& bus : settings_.buses) {
        buses_.push_back(std::make_unique<modbus_bus>(
            bus, bus_listener{[this](pulse_report r) { asio::post(io_, [this, r] { give(r); }); },
                              [this](inputs_report r) { asio::post(io_, [this, r] { give(r); }); },
                              [this](board_report r) {
                                  asio::post(io_, [this, r] {
                                      log(r.present ? log_level::info : log_level::warning,
                                          fmt::format("event={} board={}", r.present ? "board_present" : "board_lost",
                                                      settings_.cabinet.boards.at(static_cast<std::size_t>(r.board))));
                                      give(r);
                                  });
                              },
                              [this](const line_report& r) {
                                  asio::post(io_, [r] {
                                      log(r.up ? log_level::info : log_level::warning,
                                          fmt::format("event={} line={} {}", r.up ? "line_up" : "line_down", r.line,
                                                      r.why.empty() ? "" : "why=\"" + r.why + "\""));
                                  });
                              }}));
    }
    broker_->connect();
    look_around();
    publish_metrics();
    log(log_level::info, fmt::format("event=started cabinet={} version={} compartments={}", settings_.cabinet.id,
                                     settings_.cabinet.version, settings_.cabinet.compartments.size()));
    io_.run();
    return 0;
}

// The heart: one input, its effects; a commit is executed at once and its result is the next input.
void runtime::give(const core::input& in) {
    if (finished_) {
        return;
    }
    auto out = core_.step(clock_.now(), in);
    while (out.size() == 1 && std::holds_alternative<core::commit>(out.front())) {
        const auto& tx = std::get<core::commit>(out.front()).tx;
        const auto begin = std::chrono::steady_clock::now();
        const auto error = store_.commit(tx);
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
        slowest_commit_us_ = std::max<std::int64_t>(slowest_commit_us_, took.count());
        ++commits_;
        if (error == commit_error::none) {
            for (const auto& row : tx.rows) {
                log(log_level::info, fmt::format("event={} sequence={} subject={} data={}", row.type, row.sequence,
                                                 row.subject, row.data));
                control_->tell(cloud_event(row, topics(settings_.cabinet.id).root()));
            }
        } else {
            log(log_level::error, fmt::format("event=commit_failed why=\"{}\"", store_.last_error()));
        }
        out = core_.step(clock_.now(), core::commit_done{error});
    }
    for (const auto& e : out) {
        execute(e);
    }
    arm();
    if (stopping_ && core_.view().d.m.published >= farewell_sequence_) {
        finish();
    }
}

void runtime::execute(const core::effect& e) {
    if (const auto* p = std::get_if<core::publish>(&e)) {
        publish(*p);
    } else if (const auto* order = std::get_if<core::pulse>(&e)) {
        for (const auto& bus : buses_) {
            if (bus->serves(order->order.compartment)) {
                bus->pulse(order->order);
                return;
            }
        }
        asio::post(io_, [this, o = order->order] { give(pulse_report{o.opening, o.attempt, pulse_result::not_sent}); });
    } else if (const auto* answer = std::get_if<core::entry_answer>(&e)) {
        control_->answered(answer->id, answer->reply);
    } else if (const auto* note = std::get_if<core::note>(&e)) {
        log(level_of(note->severity), note->text);
    }
}

void runtime::publish(const core::publish& p) {
    // What is not sent now is sent after the next connect: events from the outbox, state as a whole.
    if (broker_->publish(p.topic, p.payload, p.qos, p.retain, p.correlation, p.sequence)) {
        ++published_;
    }
}

void runtime::arm() {
    const std::int64_t at = core_.wake_at();
    if (at == INT64_MAX) {
        wake_.cancel();
        return;
    }
    wake_.expires_after(milliseconds(std::max<std::int64_t>(0, at - clock_.now().mono_ms)));
    wake_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            give(core::tick{});
        }
    });
}

void runtime::connect_later() {
    if (stopping_) {
        return;
    }
    reconnect_pause_ms_ = std::clamp<std::int64_t>(reconnect_pause_ms_ * 2, 250, reconnect_longest_ms);
    reconnect_.expires_after(milliseconds(reconnect_pause_ms_));
    reconnect_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            broker_->connect();
        }
    });
}

void runtime::look_around() {
    if (clock_.trusted() != core_.view().l.clock_trusted) {
        give(core::clock_report{clock_.trusted()});
    }
    struct statvfs space {};
    if (statvfs(settings_.state_folder.c_str(), &space) == 0) {
        const bool low = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize < low_space_bytes;
        if (low != core_.view().l.space_low) {
            give(core::space_report{low});
        }
    }
    around_.expires_after(around_every);
    around_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            look_around();
        }
    });
}

void runtime::publish_metrics() {
    using boost::json::object;
    object counters;
    for (const auto& [name, value] : core_.view().l.counters) {
        counters[name] = value;
    }
    object buses;
    for (std::size_t i = 0; i < buses_.size(); ++i) {
        const auto c = buses_[i]->counters();
        buses[settings_.buses[i].line.name] =
            object{{"requests", c.requests}, {"failures", c.failures}, {"pulses", c.pulses}};
    }
    const object metrics{{"uptime_ms", clock_.now().mono_ms - core_.view().l.started_mono},
                         {"sequence", core_.view().d.m.sequence},
                         {"unpublished", core_.view().d.m.sequence - core_.view().d.m.published},
                         {"store", object{{"commits", commits_}, {"slowest_commit_us", slowest_commit_us_}}},
                         {"broker", object{{"published", published_}}},
                         {"bus", std::move(buses)},
                         {"counters", std::move(counters)}};
    if (broker_up_) {
        publish({topics(settings_.cabinet.id).metrics(), boost::json::serialize(metrics), 0, true, "", 0});
    }
    metrics_.expires_after(milliseconds(settings_.metrics_every_ms));
    metrics_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            publish_metrics();
        }
    });
}

// Clean stop: the ledger's last row, `offline` to the broker, relays off, everything closed.
void runtime::stop() {
    log(log_level::info, "event=stopping");
    for (auto& bus : buses_) {
        bus.reset();  // drops its relays; no report comes after this
    }
    buses_.clear();
    give(core::stop{});
    stopping_ = true;
    farewell_sequence_ = core_.view().d.m.sequence;
    if (!broker_up_) {
        finish();
        return;
    }
    farewell_.expires_after(farewell_at_most);
    farewell_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            finish();
        }
    });
}

void runtime::finish() {
    if (finished_) {
        return;
    }
    finished_ = true;
    broker_.reset();
    control_.reset();
    io_.stop();
    log(log_level::info, "event=stopped");
}

std::string runtime::rows(std::uint64_t from, std::uint64_t limit) const {
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
