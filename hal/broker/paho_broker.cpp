#include "hal/broker/paho_broker.hpp"

#include <mqtt/async_client.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace locker {
namespace {

using namespace std::chrono_literals;

// Unacknowledged messages at one time. More than the broker's Receive Maximum (Mosquitto: 20) would make Paho hold them
// back, and it looks at what it holds back only once a second: the window is kept here instead.
constexpr std::size_t window = 16;

constexpr std::size_t packet_overhead = 8 * 1024;  // topic, properties and header of the longest message

std::string paho_uri(std::string uri) {
    if (uri.starts_with("mqtt://")) {
        return "tcp://" + uri.substr(7);
    }
    if (uri.starts_with("mqtts://")) {
        return "ssl://" + uri.substr(8);
    }
    return uri;
}

}  // namespace

struct paho_broker::inner : public virtual mqtt::callback {
    broker_settings settings;
    broker_listener listener;
    std::atomic<bool> connecting{false};  // a connect is under way: Paho tells its result twice

    std::size_t subscribed = 0;  // filters so far; of Paho's callback thread alone
    std::mutex mutex;            // guards what follows; never held while Paho is called, which has locks of its own
    std::condition_variable idle;
    bool connected = false;
    bool sending = false;  // one thread at a time hands messages over: their order is kept
    std::deque<outgoing_message> waiting;
    struct sent {
        std::uint64_t token = 0;
        std::string topic;
    };
    std::map<std::uint32_t, sent> in_flight;  // by handle
    std::uint32_t next_handle = 1;

    // Result of a connect: subscribes, then tells.
    struct connect_listener : public virtual mqtt::iaction_listener {
        inner& owner;
        explicit connect_listener(inner& o) : owner(o) {}
        void on_success(const mqtt::token&) override {
            if (owner.connecting.exchange(false)) {
                owner.begin();
                owner.subscribe();
            }
        }
        void on_failure(const mqtt::token& t) override {
            if (owner.connecting.exchange(false)) {
                owner.tell_down("refused or unreachable, code " + std::to_string(t.get_return_code()));
            }
        }
    } on_connect{*this};

    struct subscribe_listener : public virtual mqtt::iaction_listener {
        inner& owner;
        explicit subscribe_listener(inner& o) : owner(o) {}
        void on_success(const mqtt::token& t) override {
            if (owner.is_refusal(t)) {
                on_failure(t);
            } else {
                owner.subscribed_one();
            }
        }
        void on_failure(const mqtt::token& t) override {
            if (owner.subscribed < owner.settings.subscriptions.size()) {
                owner.hang_up();
                owner.tell_down("the broker refused the subscription of " + owner.filter());
                return;
            }
            if (!owner.is_refusal(t)) {
                return;  // the connection is going, and says so itself
            }
            if (owner.listener.refused) {
                owner.listener.refused(owner.filter());
            }
            owner.subscribed_one();
        }
    } on_subscribe{*this};

    struct publish_listener : public virtual mqtt::iaction_listener {
        inner& owner;
        explicit publish_listener(inner& o) : owner(o) {}
        void on_success(const mqtt::token& t) override {
            // Also called with an error from the broker (v5): only a good reason code is an acknowledgement.
            owner.settled(t, t.get_return_code() >= 0 && !owner.is_refusal(t));
        }
        void on_failure(const mqtt::token& t) override {
            owner.settled(t, false);
        }  // sent again after the next connect
    } on_publish{*this};

    mqtt::async_client client;  // last: gone before the listeners that its threads call

    inner(broker_settings s, broker_listener l)
        : settings(std::move(s)),
          listener(std::move(l)),
          client(paho_uri(settings.uri), settings.client_id,
                 mqtt::create_options(settings.version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1),
                 static_cast<mqtt::iclient_persistence*>(nullptr)) {
        client.set_callback(*this);
    }

    // The broker's own no, and not a connection that went: MQTT v5 §2.4; of a SUBACK by 3.1.1 (§3.9.3) the return code.
    // Nothing else is refused by 3.1.1, and Paho leaves the reason code of it as it was.
    [[nodiscard]] bool is_refusal(const mqtt::token& t) const {
        return settings.version == 5 ? t.get_reason_code() >= 0x80 : t.get_return_code() == 0x80;
    }

    [[nodiscard]] const std::string& filter() const {
        const auto needed = settings.subscriptions.size();
        return subscribed < needed ? settings.subscriptions[subscribed] : settings.wishes.at(subscribed - needed);
    }

    // The last of those that are needed makes the connection; wishes follow.
    void subscribed_one() {
        if (++subscribed == settings.subscriptions.size()) {
            listener.up();
        }
        if (subscribed < settings.subscriptions.size() + settings.wishes.size()) {
            subscribe();
        }
    }

    // One filter after the other: Paho C++ 1.2.0 crashes when a subscription of several carries options.
    void subscribe() {
        try {
            if (settings.version == 5) {
                // No local: what we say does not come back. Retain as published: else a broker clears the mark that a
                // command was published to be kept.
                client.subscribe(filter(), 1, nullptr, on_subscribe,
                                 mqtt::subscribe_options(true, settings.retain_as_published));
            } else {
                client.subscribe(filter(), 1, nullptr, on_subscribe);
            }
        } catch (const mqtt::exception& e) {
            tell_down(e.what());
        }
    }

    // From here on replies may leave: a retained command may come before its subscription is acknowledged.
    void begin() {
        const std::lock_guard lock(mutex);
        subscribed = 0;
        connected = true;
    }

    void tell_down(const std::string& why) {
        {
            const std::lock_guard lock(mutex);
            connected = false;
            waiting.clear();
            in_flight.clear();
        }
        idle.notify_all();
        listener.down(why.empty() ? "the connection failed" : why);
    }

    // A retained message replaces the one of its topic that still waits: so the queue is bounded by the topics, the
    // events in flight and the commands that wait for a reply.
    bool enqueue(outgoing_message m) {
        {
            const std::lock_guard lock(mutex);
            if (!connected) {
                return false;
            }
            const auto same = m.retain ? std::find_if(waiting.begin(), waiting.end(),
                                                      [&](const auto& w) { return w.retain && w.topic == m.topic; })
                                       : waiting.end();
            if (same != waiting.end()) {
                same->payload = std::move(m.payload);
            } else {
                waiting.push_back(std::move(m));
            }
        }
        send();
        return true;
    }

    void send() {
        std::unique_lock lock(mutex);
        if (sending) {
            return;
        }
        sending = true;
        while (!waiting.empty() && in_flight.size() < window) {
            const outgoing_message m = std::move(waiting.front());
            waiting.pop_front();
            const std::uint32_t handle = next_handle++;
            in_flight[handle] = {m.token, m.topic};
            lock.unlock();
            const bool taken = hand_over(m, handle);
            lock.lock();
            if (!taken && connected) {
                sending = false;
                lock.unlock();
                hang_up();
                tell_down("the client took no message");  // all since the mark goes out on a new connection
                return;
            }
        }
        sending = false;
        lock.unlock();
        idle.notify_all();
    }

    bool hand_over(const outgoing_message& m, std::uint32_t handle) {
        auto message = mqtt::make_message(m.topic, m.payload, m.qos, m.retain);
        if (!m.correlation.empty() && settings.version == 5) {
            mqtt::properties p;
            p.add({mqtt::property::CORRELATION_DATA, m.correlation});
            message->set_properties(p);
        }
        try {
            // Paho's context pointer carries the handle itself: it is never followed.
            auto* context =
                reinterpret_cast<void*>(static_cast<std::uintptr_t>(handle));  // NOLINT(performance-no-int-to-ptr)
            client.publish(message, context, on_publish);
            return true;
        } catch (const mqtt::exception&) {
            return false;
        }
    }

    void settled(const mqtt::token& t, bool acknowledged) {
        sent what;
        {
            const std::lock_guard lock(mutex);
            const auto at =
                in_flight.find(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(t.get_user_context())));
            if (at == in_flight.end()) {
                return;  // of an earlier connection
            }
            what = std::move(at->second);
            in_flight.erase(at);
        }
        if (acknowledged && what.token != 0) {
            listener.acknowledged(what.token);
        } else if (what.token != 0) {
            // An event that the broker does not take must not be lost: all since the mark goes out on a new connection.
            hang_up();
            tell_down("the broker refused an event");
            return;
        }
        if (is_refusal(t) && listener.refused) {
            listener.refused(what.topic);
        }
        send();
    }

    void hang_up() {
        try {
            client.disconnect(0);
        } catch (const mqtt::exception&) {
            // it is going down already
        }
    }

    // Until all that was published is with the broker.
    void flush(std::chrono::milliseconds at_most) {
        std::unique_lock lock(mutex);
        idle.wait_for(lock, at_most, [this] { return waiting.empty() && in_flight.empty(); });
    }

    void connection_lost(const std::string& cause) override { tell_down(cause.empty() ? "connection lost" : cause); }

    void message_arrived(mqtt::const_message_ptr m) override {
        if (m->get_payload_ref().size() > settings.payload_max) {
            return;  // nothing of ours is so long, and nothing in it would be read
        }
        broker_message out{m->get_topic(), m->to_string(), m->is_retained(), {}, {}};
        const auto& p = m->get_properties();
        if (p.contains(mqtt::property::RESPONSE_TOPIC)) {
            out.response_topic = mqtt::get<std::string>(p, mqtt::property::RESPONSE_TOPIC);
        }
        if (p.contains(mqtt::property::CORRELATION_DATA)) {
            out.correlation = mqtt::get<std::string>(p, mqtt::property::CORRELATION_DATA);
        }
        listener.message(std::move(out));
    }
};

paho_broker::paho_broker(broker_settings settings, broker_listener listener) {
    try {
        inner_ = std::make_unique<inner>(std::move(settings), std::move(listener));
    } catch (const mqtt::exception& e) {
        throw std::runtime_error(std::string("MQTT client: ") + e.what());
    }
}

paho_broker::~paho_broker() {
    inner_->flush(1s);
    try {
        inner_->client.disable_callbacks();
        if (inner_->client.is_connected()) {
            inner_->client.disconnect(1000)->wait_for(2s);
        }
    } catch (const mqtt::exception&) {
        // The broker is gone: it will send the will.
    }
}

void paho_broker::connect() {
    const auto& s = inner_->settings;
    // One object, filled in place and never moved: moving it would drop its v5 properties.
    mqtt::connect_options o;
    o.set_mqtt_version(s.version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
    if (s.version == 5) {
        o.set_clean_start(true);
        mqtt::properties p;  // a message that is too long never reaches this board's memory
        p.add({mqtt::property::MAXIMUM_PACKET_SIZE, static_cast<int>(s.payload_max + packet_overhead)});
        o.set_properties(p);
    } else {
        o.set_clean_session(true);
    }
    o.set_keep_alive_interval(std::chrono::seconds(s.keep_alive_s));
    o.set_connect_timeout(5s);
    o.set_max_inflight(static_cast<int>(window));
    if (!s.username.empty()) {
        o.set_user_name(s.username);
        o.set_password(s.password);
    }
    if (!s.will_topic.empty()) {
        o.set_will_message(mqtt::make_message(s.will_topic, s.will_payload, 1, true));
    }
    if (s.uri.starts_with("mqtts://")) {
        mqtt::ssl_options ssl;
        if (!s.ca_file.empty()) {
            ssl.set_trust_store(s.ca_file);
        }
        ssl.set_verify(true);
        o.set_ssl(ssl);
    }
    inner_->connecting = true;
    try {
        inner_->client.connect(o, nullptr, inner_->on_connect);
    } catch (const mqtt::exception& e) {
        if (inner_->connecting.exchange(false)) {
            inner_->tell_down(e.what());
        }
    }
}

bool paho_broker::publish(outgoing_message m) {
    return inner_->enqueue(std::move(m));
}

}  // namespace locker
