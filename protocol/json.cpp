#include "protocol/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "protocol/limits.hpp"

namespace locker {
namespace {

const boost::json::value* member_of(const boost::json::object& o, std::string_view member) {
    const auto* value = o.if_contains(member);
    return value == nullptr || value->is_null() ? nullptr : value;
}

}  // namespace

reading<boost::json::object> parse_object(std::string_view text, std::size_t max_bytes) {
    if (text.size() > max_bytes) {
        return malformed(fmt::format("{} bytes, at most {} are read", text.size(), max_bytes));
    }
    boost::json::parse_options options;
    options.max_depth = limits::json_depth;
    boost::json::error_code error;
    boost::json::value value = boost::json::parse(text, error, {}, options);
    if (error) {
        return malformed("not JSON in UTF-8 of at most 8 levels: " + error.message());
    }
    if (!value.is_object()) {
        return malformed("a JSON object is wanted");
    }
    return std::move(value.get_object());
}

reading<std::optional<std::string>> optional_text(const boost::json::object& o, std::string_view member,
                                                  std::size_t max_bytes) {
    const auto* value = member_of(o, member);
    if (value == nullptr) {
        return std::optional<std::string>{};
    }
    const auto* text = value->if_string();
    if (text == nullptr || text->empty() || text->size() > max_bytes) {
        return malformed(fmt::format("{}: a string of 1 to {} bytes is wanted", member, max_bytes));
    }
    return std::optional<std::string>{std::string(text->data(), text->size())};
}

reading<std::string> required_text(const boost::json::object& o, std::string_view member, std::size_t max_bytes) {
    auto text = optional_text(o, member, max_bytes);
    if (!text) {
        return text.error();
    }
    if (!*text) {
        return malformed(fmt::format("{} is missing", member));
    }
    return std::move(**text);
}

reading<std::optional<std::int64_t>> optional_integer(const boost::json::object& o, std::string_view member,
                                                      std::int64_t low, std::int64_t high) {
    const auto* value = member_of(o, member);
    if (value == nullptr) {
        return std::optional<std::int64_t>{};
    }
    std::int64_t number = 0;
    if (value->is_int64()) {
        number = value->get_int64();
    } else {
        return malformed(fmt::format("{}: a whole number is wanted", member));
    }
    if (number < low || number > high) {
        return malformed(fmt::format("{}: {} to {} is wanted", member, low, high));
    }
    return std::optional<std::int64_t>{number};
}

reading<std::optional<bool>> optional_flag(const boost::json::object& o, std::string_view member) {
    const auto* value = member_of(o, member);
    if (value == nullptr) {
        return std::optional<bool>{};
    }
    if (!value->is_bool()) {
        return malformed(fmt::format("{}: true or false is wanted", member));
    }
    return std::optional<bool>{value->get_bool()};
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= limits::name_bytes && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

std::string canonical(const boost::json::value& value) {
    if (const auto* object = value.if_object()) {
        std::vector<const boost::json::key_value_pair*> members;
        members.reserve(object->size());
        for (const auto& member : *object) {
            members.push_back(&member);
        }
        std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->key() < b->key(); });
        std::string out = "{";
        for (const auto* member : members) {
            if (out.size() > 1) {
                out += ',';
            }
            out += boost::json::serialize(boost::json::string(member->key())) + ':' + canonical(member->value());
        }
        return out + "}";
    }
    if (const auto* array = value.if_array()) {
        std::string out = "[";
        for (const auto& element : *array) {
            if (out.size() > 1) {
                out += ',';
            }
            out += canonical(element);
        }
        return out + "]";
    }
    return boost::json::serialize(value);
}

}  // namespace locker
