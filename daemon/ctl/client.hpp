// lockerctl's side of the control socket.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <string>

namespace locker {

// One request, one answer. Throws std::runtime_error with a sentence when no lockerd listens there.
[[nodiscard]] boost::json::object ask(const std::string& socket, const boost::json::object& request);

// Lines until lockerd closes.
void watch(const std::string& socket, const std::function<void(const std::string&)>& each);

}  // namespace locker
