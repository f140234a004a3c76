// The simulator's control socket: one JSON object a line in, one out. For tests and for people (`lockersim push 3`).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>

namespace sim {

using act = std::function<boost::json::object(const boost::json::object& request)>;

class control {
public:
    control(boost::asio::io_context& io, const std::string& path, act a);
    ~control();

private:
    struct inner;
    std::unique_ptr<inner> inner_;
};

// The client's side: sends one request, gives the answer. Throws std::runtime_error.
[[nodiscard]] boost::json::object ask(const std::string& path, const boost::json::object& request);

}  // namespace sim
