// What lockerctl shows of a cabinet: tables and a picture, from what lockerd answers.
#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace locker {

// `status`: the front of the cabinet, door by door, and what needs somebody. Columns: of the terminal, or 80.
[[nodiscard]] std::string picture(const boost::json::object& snapshot, int columns, bool colours);
[[nodiscard]] std::string doors_table(const boost::json::array& compartments);
[[nodiscard]] std::string deposits_table(const boost::json::object& snapshot);
[[nodiscard]] std::string health_table(const boost::json::array& locks);

}  // namespace locker
