#include "hal/broker/paho_broker.hpp"

#include <mqtt/async_client.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

namespace locker {
namespace {

using namespace std::chrono_literals;

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
    mqtt::async_client client;
    std::atomic<bool> connecting{false};  // a connect is under way: Paho tells its result twice
    std::atomic<bool> connected{false};

    // Result of a connect: subscribes, then tells.
    struct connect_listener : public virtual mqtt::iaction_listener {
        inner& owner;
        explicit connect_listener(inner& o) : owner(o) {}
        void on_success(const mqtt::token&) override {
            if (owner.connecting.exchange(false)) {
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
        void on_success(const mqtt::token&) override {
            if (!owner.connected.exchange(true)) {
                owner.listener.up();
            }
        }
        void on_failure(const mqtt::token&) override { owner.tell_down("the broker refused the subscriptions"); }
    } on_subscribe{*this};

    struct publish_listener : public virtual mqtt::iaction_listener {
        inner& owner;
        explicit publish_listener(inner& o) : owner(o) {}
        void on_success(const mqtt::token& t) override {
            // Also called with an error from the broker (v5): only a good reason code is an acknowledgement.
            if (t.get_return_code() >= 0 && t.get_reason_code() < 0x80) {
                owner.listener.acknowledged(
                    static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(t.get_user_context())));
            }
        }
        void on_failure(const mqtt::token&) override {}  // the connection goes down; the outbox sends again
    } on_publish{*this};

    inner(broker_settings s, broker_listener l)
        : settings(std::move(s)),
          listener(std::move(l)),
          client(paho_uri(settings.uri), settings.client_id,
                 mqtt::create_options(settings.version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1),
                 static_cast<mqtt::iclient_persistence*>(nullptr)) {
        client.set_callback(*this);
    }

    void subscribe() {
        auto topics = mqtt::string_collection::create(settings.subscriptions);
        const mqtt::iasync_client::qos_collection qos(settings.subscriptions.size(), 1);
        try {
            client.subscribe(topics, qos, nullptr, on_subscribe);
        } catch (const mqtt::exception& e) {
            tell_down(e.what());
        }
    }

    void tell_down(const std::string& why) {
        connected = false;
        listener.down(why.empty() ? "the connection failed" : why);
    }

    void connection_lost(const std::string& cause) override { tell_down(cause.empty() ? "connection lost" : cause); }

    void message_arrived(mqtt::const_message_ptr m) override {
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
    } else {
        o.set_clean_session(true);
    }
    o.set_keep_alive_interval(std::chrono::seconds(s.keep_alive_s));
    o.set_connect_timeout(5s);
    o.set_max_inflight(64);
    if (!s.username.empty()) {
        o.set_user_name(s.username);
        o.set_password(s.password);
    }
    o.set_will_message(mqtt::make_message(s.will_topic, s.will_payload, 1, true));
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

bool paho_broker::publish(const std::string& topic, const std::string& payload, int qos, bool retain,
                          const std::string& correlation, std::uint64_t token) {
    if (!inner_->connected) {
        return false;
    }
    auto m = mqtt::make_message(topic, payload, qos, retain);
    if (!correlation.empty() && inner_->settings.version == 5) {
        mqtt::properties p;
        p.add({mqtt::property::CORRELATION_DATA, correlation});
        m->set_properties(p);
    }
    try {
        if (token == 0) {
            inner_->client.publish(m);
        } else {
            // Paho's context pointer carries the number itself: it is never followed.
            inner_->client.publish(
                m, reinterpret_cast<void*>(static_cast<std::uintptr_t>(token)),  // NOLINT(performance-no-int-to-ptr)
                inner_->on_publish);
        }
        return true;
    } catch (const mqtt::exception&) {
        return false;
    }
}

}  // namespace locker
