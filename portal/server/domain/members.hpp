// Members of JSON that others wrote.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace locker::portal {

// A member that is a text; else, and when there is none, `otherwise`.
[[nodiscard]] inline std::string text_in(const boost::json::object& o, std::string_view member,
                                         std::string_view otherwise = "") {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string(otherwise);
}

}  // namespace locker::portal
