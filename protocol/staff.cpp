#include "protocol/staff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "protocol/limits.hpp"

namespace locker {
namespace {

constexpr std::array<std::string_view, 7> permits{"collect_intake", "deposit_return", "reclaim_overdue", "settle",
                                                  "move",           "maintain",       "open_any"};

struct verb_form {
    std::string_view word;
    deed_verb verb;
    std::string_view form;
};
constexpr std::array<verb_form, 9> verbs{{{"list", deed_verb::list, "list"},
                                          {"open", deed_verb::open, "open DOOR [REASON …]"},
                                          {"next", deed_verb::next, "next"},
                                          {"reclaim", deed_verb::reclaim, "reclaim DOOR"},
                                          {"settle", deed_verb::settle, "settle DOOR"},
                                          {"return", deed_verb::put_back, "return DEPOSIT [case=CASE] [size=S|M|L]"},
                                          {"confirm", deed_verb::confirm, "confirm DEPOSIT"},
                                          {"move", deed_verb::move, "move DEPOSIT DOOR"},
                                          {"out", deed_verb::out, "out"}}};

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> out;
    while (!line.empty()) {
        const auto begin = line.find_first_not_of(' ');
        if (begin == std::string_view::npos) {
            break;
        }
        line.remove_prefix(begin);
        const auto end = std::min(line.find(' '), line.size());
        out.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
    return out;
}

int door_of(std::string_view text) {
    int n = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    const bool good = error == std::errc{} && at == text.data() + text.size() && n >= 1 && n <= limits::compartment_max;
    return good ? n : 0;
}

std::optional<refusal> read_words(staff_deed& d, const std::vector<std::string_view>& words) {
    const auto bad = [](std::string_view what) { return malformed(std::string(what)); };
    std::size_t taken = 1;
    const bool wants_deposit =
        d.verb == deed_verb::put_back || d.verb == deed_verb::confirm || d.verb == deed_verb::move;
    const bool wants_door = d.verb == deed_verb::open || d.verb == deed_verb::reclaim || d.verb == deed_verb::settle ||
                            d.verb == deed_verb::move;
    if (wants_deposit) {
        if (words.size() <= taken || !is_name(words[taken])) {
            return bad("a deposit's id is wanted");
        }
        d.deposit = words[taken++];
    }
    if (wants_door) {
        d.compartment = words.size() > taken ? door_of(words[taken++]) : 0;
        if (d.compartment == 0) {
            return bad("a door number is wanted");
        }
    }
    for (; d.verb == deed_verb::put_back && taken < words.size(); ++taken) {
        const auto word = words[taken];
        if (word.starts_with("size=") && word != "size=S" && word != "size=M" && word != "size=L") {
            return bad("size is S, M or L");
        }
        if (word == "case=" || (word.starts_with("case=") && word.size() > 5 + limits::text_bytes)) {
            return bad("case is a pseudonym of at most 256 bytes");
        }
        if (word.starts_with("case=")) {
            d.case_id = word.substr(5);
        } else if (word.starts_with("size=")) {
            d.size = word.substr(5);
        } else {
            break;
        }
    }
    for (; d.verb == deed_verb::open && taken < words.size(); ++taken) {
        d.reason += (d.reason.empty() ? "" : " ") + std::string(words[taken]);
    }
    if (d.reason.size() > limits::text_bytes) {
        return bad("the reason is longer than 256 bytes");
    }
    if (taken != words.size()) {
        return bad("there are words too many");
    }
    return std::nullopt;
}

reading<staff_member> parse_member(const boost::json::object& o) {
    staff_member m;
    auto number = required_text(o, "number", 6);
    if (!number || !is_staff_number(*number)) {
        return malformed("number: 4 to 6 digits in quotes are wanted");
    }
    m.number = std::move(*number);
    auto sub = optional_text(o, "sub", limits::text_bytes);
    auto suspended = optional_flag(o, "suspended");
    if (!sub || !suspended) {
        return sub ? suspended.error() : sub.error();
    }
    m.sub = sub->value_or("");
    m.suspended = suspended->value_or(false);
    const auto* list = o.if_contains("permits");
    if (list == nullptr || !list->is_array() || list->get_array().empty()) {
        return malformed("permits: a list is wanted");
    }
    for (const auto& item : list->get_array()) {
        const auto* text = item.if_string();
        const auto p = text != nullptr ? permit_from({text->data(), text->size()}) : std::nullopt;
        if (!p) {
            return malformed(fmt::format("permits: each must be one of {}", fmt::join(permits, ", ")));
        }
        if (!m.may(*p)) {
            m.permits.push_back(*p);
        }
    }
    return m;
}

}  // namespace

std::string_view name(permit p) {
    return permits[static_cast<std::size_t>(p)];
}

std::optional<permit> permit_from(std::string_view text) {
    const auto at = std::find(permits.begin(), permits.end(), text);
    return at == permits.end() ? std::nullopt : std::optional(static_cast<permit>(at - permits.begin()));
}

bool staff_member::may(permit p) const {
    return std::find(permits.begin(), permits.end(), p) != permits.end();
}

const staff_member* roster::find(std::string_view number) const {
    const auto at = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.number == number; });
    return at == members.end() ? nullptr : &*at;
}

const staff_member* roster::find_sub(std::string_view sub) const {
    if (sub.empty()) {
        return nullptr;
    }
    const auto at = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.sub == sub; });
    if (at != members.end()) {
        return &*at;
    }
    constexpr std::string_view prefix = "staff:";
    return find(sub.starts_with(prefix) ? sub.substr(prefix.size()) : sub);
}

reading<std::vector<staff_member>> parse_members(const boost::json::value& list) {
    if (!list.is_array() || list.get_array().size() > limits::staff_max) {
        return malformed(fmt::format("staff: a list of at most {} is wanted", limits::staff_max));
    }
    std::vector<staff_member> out;
    for (const auto& item : list.get_array()) {
        if (!item.is_object()) {
            return malformed("staff: each must be an object");
        }
        auto m = parse_member(item.get_object());
        if (!m) {
            return malformed(fmt::format("staff[{}]: {}", out.size(), m.error().detail));
        }
        const bool twice = std::any_of(out.begin(), out.end(), [&](const auto& other) {
            return other.number == m->number || (!m->sub.empty() && other.sub == m->sub);
        });
        if (twice) {
            return malformed(fmt::format("staff[{}]: its number or sub stands twice", out.size()));
        }
        out.push_back(std::move(*m));
    }
    for (std::size_t i = 0; i < out.size(); ++i) {  // a sub that reads as somebody's number would be that person, too
        const auto& sub = out[i].sub;
        constexpr std::string_view prefix = "staff:";
        const auto number = std::string_view(sub).substr(sub.starts_with(prefix) ? prefix.size() : 0);
        if (is_staff_number(number) && number != out[i].number) {
            return malformed(fmt::format("staff[{}]: its sub reads as another staff number", i));
        }
    }
    return out;
}

boost::json::array members_json(const std::vector<staff_member>& members) {
    boost::json::array out;
    for (const auto& m : members) {
        boost::json::object o{{"number", m.number}};
        if (!m.sub.empty()) {
            o["sub"] = m.sub;
        }
        boost::json::array list;
        for (const auto p : m.permits) {
            list.push_back(boost::json::string(name(p)));
        }
        o["permits"] = std::move(list);
        if (m.suspended) {
            o["suspended"] = true;
        }
        out.push_back(std::move(o));
    }
    return out;
}

bool is_staff_number(std::string_view text) {
    return text.size() >= 4 && text.size() <= 6 && all_digits(text);
}

std::optional<staff_code> parse_staff_code(std::string_view text) {
    const auto hash = text.find('#');
    if (hash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto number = words_of(text.substr(0, hash));
    std::string digits;
    for (const auto word : words_of(text.substr(hash + 1))) {
        digits += word;
    }
    if (number.size() != 1 || !is_staff_number(number.front()) || digits.size() != 6 || !all_digits(digits)) {
        return std::nullopt;
    }
    staff_code code{std::string(number.front()), 0};
    std::from_chars(digits.data(), digits.data() + digits.size(), code.totp);
    return code;
}

std::string deed_forms() {
    std::string out = "DOOR";
    for (const auto& v : verbs) {
        out += fmt::format(", {}", v.form);
    }
    return out;
}

namespace {

// At a keypad: "12#2" is deed 2 at door 12, "0" the next door of the worklist, "0#0" the end.
std::optional<staff_deed> keypad_deed(std::string_view line) {
    staff_deed d;
    if (line == "0") {
        d.verb = deed_verb::next;
        return d;
    }
    if (line == "0#0") {
        d.verb = deed_verb::out;
        return d;
    }
    const auto hash = line.find('#');
    if (hash == std::string_view::npos || hash > 3 || hash + 2 != line.size()) {
        return std::nullopt;
    }
    constexpr std::array verbs_at_a_door{deed_verb::open, deed_verb::settle, deed_verb::reclaim};
    const auto which = static_cast<std::size_t>(line.back() - '1');
    d.compartment = door_of(line.substr(0, hash));
    if (d.compartment == 0 || which >= verbs_at_a_door.size()) {
        return std::nullopt;
    }
    d.verb = verbs_at_a_door.at(which);
    return d;
}

}  // namespace

std::optional<reading<staff_deed>> parse_deed(std::string_view line) {
    if (const auto typed = keypad_deed(line)) {
        return *typed;
    }
    const auto words = words_of(line);
    if (words.empty()) {
        return std::nullopt;
    }
    staff_deed d;
    if (words.size() == 1 && words.front().size() <= 3 && door_of(words.front()) != 0) {
        d.verb = deed_verb::open;
        d.compartment = door_of(words.front());
        return d;
    }
    const auto at = std::find_if(verbs.begin(), verbs.end(), [&](const auto& v) { return v.word == words.front(); });
    if (at == verbs.end()) {
        return std::nullopt;
    }
    d.verb = at->verb;
    if (const auto wrong = read_words(d, words)) {
        return malformed(fmt::format("{}; the form is: {}", wrong->detail, at->form));
    }
    return d;
}

}  // namespace locker
