#include "daemon/runtime/front.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace locker {
namespace {

constexpr std::int64_t fastest_ms = 250;  // nobody types or shows two lines within it
// Longer than any answer may take: whoever asked has left, or lockerd would be asked nothing any more.
constexpr std::int64_t answer_at_most_ms = 15'000;
constexpr std::int64_t same_signal_ms = 500;  // a flood of wrong keys is no flood on the line …
constexpr std::int64_t between_signals_ms = 200;

// What of a reply a lamp can say.
front_signal signal_of(const std::string& reply) {
    boost::system::error_code error;
    const auto parsed = boost::json::parse(reply, error);
    const auto* o = error ? nullptr : parsed.if_object();
    if (o == nullptr) {
        return front_signal::no;
    }
    const auto member = [](const boost::json::object* in, std::string_view name) {
        const auto* v = in == nullptr ? nullptr : in->if_contains(name);
        return v == nullptr ? nullptr : v->if_object();
    };
    if (const auto* why = member(o, "error")) {
        const auto* code = why->if_contains("code");
        return code != nullptr && *code == "busy" ? front_signal::wait : front_signal::no;
    }
    const auto* result = member(o, "result");
    const bool second_person = result != nullptr && result->contains("second_grant_within_s");
    return second_person ? front_signal::wait : front_signal::yes;
}

}  // namespace

front::front(const front_settings& settings) : settings_(settings) {
    for (const auto& in : settings_.inputs) {
        const bool keys = in.kind == input_kind::keypad;
        inputs_.push_back({keys ? core::entry_via::keypad : core::entry_via::scanner,
                           key_map(in.layout),
                           keys ? std::variant<keypad, scanner>(keypad{}) : scanner(in.gm65),
                           {}});
    }
}

front::line front::take(one& from, std::string text, std::int64_t now) {
    if (pending_ && now < asked_at_ + answer_at_most_ms) {
        ++from.counters.early;
        signal(front_signal::wait, now);
        return std::nullopt;
    }
    if (now < asked_at_ + fastest_ms) {
        ++from.counters.early;
        return std::nullopt;
    }
    ++from.counters.lines;
    asked_at_ = now;
    pending_ = terminal + ++entries_;
    return core::entry{*pending_, from.via, std::move(text), terminal};
}

void front::drop(one& from, std::int64_t now) {
    ++from.counters.dropped;
    signal(front_signal::no, now);
}

front::line front::scanned(one& from, std::string_view chunk, std::int64_t now) {
    line out;
    for (auto& payload : std::get<scanner>(from.reads).take(chunk, now)) {
        if (!payload.whole) {
            drop(from, now);
        } else if (auto taken = take(from, std::move(payload.text), now)) {
            out = std::move(taken);
        }
    }
    return out;
}

front::line front::key(std::size_t input, unsigned code, int value, std::int64_t now) {
    auto& from = inputs_.at(input);
    const auto c = from.keys.key(code, value);
    if (!c) {
        return std::nullopt;
    }
    if (std::holds_alternative<scanner>(from.reads)) {
        return scanned(from, std::string_view(&*c, 1), now);
    }
    auto typed = std::get<keypad>(from.reads).press(*c, now);
    switch (typed.what) {
        case keypad::outcome::goes_on:
        case keypad::outcome::cleared:
            return std::nullopt;
        case keypad::outcome::dropped:
            drop(from, now);
            return std::nullopt;
        case keypad::outcome::line:
            return take(from, std::move(typed.text), now);
    }
    return std::nullopt;
}

front::line front::bytes(std::size_t input, std::string_view chunk, std::int64_t now) {
    auto& from = inputs_.at(input);
    return std::holds_alternative<scanner>(from.reads) ? scanned(from, chunk, now) : std::nullopt;
}

void front::missed(std::size_t input, std::int64_t now) {
    auto& from = inputs_.at(input);
    std::visit([](auto& reads) { reads.forget(); }, from.reads);
    from.keys.forget();
    drop(from, now);
}

void front::presence(std::size_t input, bool present) {
    auto& from = inputs_.at(input);
    from.counters.present = present;
    std::visit([](auto& reads) { reads.forget(); }, from.reads);
    from.keys.forget();
}

void front::waits(std::int64_t now) {
    signal(front_signal::wait, now);
}

void front::answered(const std::string& reply, std::int64_t now) {
    pending_.reset();
    signal(signal_of(reply), now);
}

// A new one takes the place of what is left of the one before.
void front::signal(front_signal what, std::int64_t now) {
    const bool same = what == said_ && now < said_at_ + same_signal_ms;
    const bool at_once = what != front_signal::yes && now < said_at_ + between_signals_ms;
    if (same || at_once) {
        return;
    }
    said_ = what;
    said_at_ = now;
    running_.clear();
    for (std::size_t i = 0; i < settings_.outputs.size(); ++i) {
        if (!settings_.outputs[i].patterns[static_cast<std::size_t>(what)].empty()) {
            running_.push_back({i, what, 0, now});
        }
    }
}

std::vector<output_order> front::due(std::int64_t now) {
    for (auto& in : inputs_) {
        if (auto* scans = std::get_if<scanner>(&in.reads)) {
            if (scans->expire(now)) {
                drop(in, now);  // whoever holds the phone shows it again
            }
        } else if (std::get<keypad>(in.reads).expire(now)) {
            drop(in, now);  // whoever still stands there hears that it begins anew
        }
    }
    std::vector<output_order> out;
    for (auto& r : running_) {
        if (r.at > now) {
            continue;
        }
        const auto& to = settings_.outputs[r.output];
        const auto& pattern = to.patterns[static_cast<std::size_t>(r.what)];
        out.push_back({to.board, to.channel, pattern[r.step]});
        r.at = now + pattern[r.step] + (r.step + 1 < pattern.size() ? pattern[r.step + 1] : 0);
        r.step += 2;
    }
    std::erase_if(running_, [&](const running& r) {
        return r.step >= settings_.outputs[r.output].patterns[static_cast<std::size_t>(r.what)].size();
    });
    return out;
}

std::int64_t front::wake_at() const {
    std::int64_t at = INT64_MAX;
    for (const auto& r : running_) {
        at = std::min(at, r.at);
    }
    for (const auto& in : inputs_) {
        at = std::min(at, std::visit([](const auto& reads) { return reads.due(); }, in.reads));
    }
    return at;
}

}  // namespace locker
