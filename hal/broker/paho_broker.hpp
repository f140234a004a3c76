// The MQTT broker through Paho, without its persistence: what must survive stands in the ledger. Reconnects for ever.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hal/ports/broker.hpp"

namespace locker {

struct broker_settings {
    std::string uri;        // mqtt://host:port or mqtts://host:port
    std::string client_id;  // fixed, one per cabinet
    int version = 5;        // 5, or 4 for MQTT 3.1.1
    std::string username;
    std::string password;
    std::string ca_file;  // for mqtts
    int keep_alive_s = 10;
    std::string will_topic;  // retained, QoS 1; empty: no will
    std::string will_payload;
    std::vector<std::string> subscriptions;  // QoS 1; without one of them there is no connection
    std::vector<std::string> wishes;         // asked for after them; the connection holds when they are refused
    std::size_t payload_max = 256 * 1024;    // bytes; longer messages are not taken
    // By v5, `retained` of a message: that it was published to be kept, or, when false, that the broker had kept it.
    bool retain_as_published = true;
};

// Called on Paho's threads; each does nothing but post.
struct broker_listener {
    std::function<void()> up;  // connected and subscribed
    std::function<void(std::string why)> down;
    std::function<void(broker_message)> message;
    std::function<void(std::uint64_t token)> acknowledged;  // PUBACK for a publish with a token
    // A wish, or a message without a token, that the broker does not allow (by MQTT v5, which tells); may be left out.
    std::function<void(std::string topic)> refused{};
};

class paho_broker : public broker_port {
public:
    // Throws std::runtime_error when the settings make no client.
    paho_broker(broker_settings settings, broker_listener listener);
    ~paho_broker() override;  // sends what waits, then disconnects cleanly: no will
    paho_broker(const paho_broker&) = delete;
    paho_broker& operator=(const paho_broker&) = delete;

    void connect() override;
    bool publish(outgoing_message m) override;

private:
    struct inner;
    std::unique_ptr<inner> inner_;
};

}  // namespace locker
