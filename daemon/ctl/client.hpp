// lockerctl's side of the control socket.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>

namespace locker {

// One request, one answer. Throws std::runtime_error with a sentence when no lockerd listens there.
[[nodiscard]] boost::json::object ask(const std::string& socket, const boost::json::object& request);

// A connection that lasts: whoever signs in over it stays signed in until it ends.
class conversation {
public:
    explicit conversation(const std::string& socket);
    ~conversation();
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;
    [[nodiscard]] boost::json::object ask(const boost::json::object& request);

private:
    struct inner;
    std::unique_ptr<inner> inner_;
};

// Lines until lockerd closes. `begun` is called once whatever is recorded from then on will be told.
void watch(const std::string& socket, const std::function<void()>& begun,
           const std::function<void(const std::string&)>& each);

}  // namespace locker
