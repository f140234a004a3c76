// What a person at the cabinet would do, over the control socket: enter a code, work as staff, open a door.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace locker {

// lockerctl's exit codes beyond 0.
constexpr int exit_refused = 1;  // lockerd said no, or the chain is broken
constexpr int exit_failed = 2;   // lockerd does not answer, a file cannot be read

struct options {
    std::string socket = "/run/lockerd/control.sock";
    bool json = false;
};

// A member that is a text; empty: there is none.
[[nodiscard]] std::string text(const boost::json::object& o, std::string_view member);

// Prints what the person would read; the exit code.
int show(const options& o, const boost::json::object& answer);

int enter(const options& o, const std::string& what, const std::string& via);

// Line by line over one connection, as a keypad would: the session lives as long as it.
int staff_session(const options& o);

// Opens a door for maintenance: by a staff code that may, or a grant, or two grants where two persons are asked for.
struct open_wish {
    int door = 0;
    std::string reason;
    std::string staff;
    std::vector<std::string> grants;
};
int maintenance_open(const options& o, open_wish wish);

}  // namespace locker
