// What the world sees of the state: retained topics, alarms, the snapshot.
#pragma once

#include <map>
#include <string>

#include "daemon/core/work.hpp"
#include "protocol/state.hpp"

namespace locker::core {

// Payloads as last encoded: most steps change one compartment, or none.
struct encodings {
    template <typename Message>
    using kept = std::map<std::string, std::pair<Message, std::string>>;  // by topic
    kept<status_message> status;
    kept<cabinet_message> cabinet;
    kept<compartment_message> compartments;
};

// Topic → payload of everything retained: status, cabinet, compartments, alarms that are on.
[[nodiscard]] std::map<std::string, std::string> retained_view(const work& w, encodings& known);

// The `snapshot` command's result.
[[nodiscard]] std::string snapshot(const work& w);  // as a JSON object

[[nodiscard]] compartment_message compartment_view(const state& s, const compartment& c, const cabinet_config& config);

}  // namespace locker::core
