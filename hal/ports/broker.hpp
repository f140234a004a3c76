// The seam between the engine and the MQTT broker. What must survive stands in the ledger: the broker keeps nothing.
#pragma once

#include <cstdint>
#include <string>

namespace locker {

struct broker_message {
    std::string topic;
    std::string payload;
    bool retained = false;
    std::string response_topic;  // MQTT v5
    std::string correlation;
};

struct outgoing_message {
    std::string topic;
    std::string payload;
    int qos = 1;
    bool retain = false;
    std::string correlation;  // MQTT v5 correlation data, sent back as it came
    std::uint64_t token = 0;  // of an event: its acknowledgement is told with this number; 0: nobody asks
};

class broker_port {
public:
    virtual ~broker_port() = default;
    // Starts one attempt; `up` or `down` is told. The caller decides when to try again.
    virtual void connect() = 0;
    // False: not sent, the connection is going down (`down` follows or has come). In order, each at most once.
    virtual bool publish(outgoing_message m) = 0;
};

}  // namespace locker
