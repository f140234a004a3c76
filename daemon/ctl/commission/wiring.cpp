#include "daemon/ctl/commission/wiring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <set>
#include <sstream>

#include "protocol/limits.hpp"
#include "protocol/timestamp.hpp"

namespace locker {
namespace {

using boost::json::array;
using boost::json::object;

bool bit(std::uint32_t bits, int channel) {
    return ((bits >> static_cast<unsigned>(channel)) & 1U) != 0;
}

object json_of(const moved_input& m) {
    return {{"board", m.where.board},
            {"channel", m.where.channel},
            {"rest", m.rest},
            {"first_ms", m.first_ms},
            {"bounce_ms", m.bounce_ms}};
}

// Which boards a journal or a record is about.
array json_of(const std::vector<found_board>& boards) {
    array out;
    for (const auto& b : boards) {
        out.push_back(object{{"name", b.name},
                             {"bus", b.bus},
                             {"address", b.address},
                             {"profile", b.profile.name},
                             {"firmware", b.firmware}});
    }
    return out;
}

// The header of a table: "[[board]]" gives "board"; no header gives nothing.
std::string header(const std::string& line) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] != '[') {
        return {};
    }
    const auto first = line.find_first_not_of("[ \t", begin);
    const auto last = line.find_first_of("] \t", first);
    return first == std::string::npos ? std::string(" ") : line.substr(first, last - first);
}

bool is_key(const std::string& line, std::string_view key) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line.compare(begin, key.size(), key) != 0) {
        return false;
    }
    const auto after = line.find_first_not_of(" \t", begin + key.size());
    return after != std::string::npos && line[after] == '=';
}

}  // namespace

std::vector<moved_input> what_moved(const std::vector<std::uint32_t>& rest, const std::vector<input_sample>& samples) {
    struct seen {
        std::int64_t first = -1;
        std::int64_t last = -1;
        bool level = false;
    };
    std::map<board_channel, seen> inputs;
    for (const auto& s : samples) {
        for (int c = 0; c < 32; ++c) {
            const board_channel where{s.board, c};
            const bool level = bit(s.bits, c);
            const bool before = inputs.count(where) != 0 ? inputs[where].level : bit(rest.at(s.board), c);
            if (level != before) {
                auto& one = inputs[where];
                one.first = one.first < 0 ? s.at_ms : one.first;
                one.last = s.at_ms;
                one.level = level;
            }
        }
    }
    std::vector<moved_input> out;
    out.reserve(inputs.size());
    for (const auto& [where, one] : inputs) {
        out.push_back({where, bit(rest.at(where.board), where.channel), one.first, one.last - one.first});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first_ms, a.where) < std::pair(b.first_ms, b.where);
    });
    return out;
}

survey::survey(std::vector<found_board> boards, std::vector<std::int64_t> lengths, std::int64_t most, bool twice)
    : boards_(std::move(boards)), lengths_(std::move(lengths)), most_(most), twice_(twice) {
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        for (int c = 0; c < boards_[b].profile.relays; ++c) {
            learnt_lock lock;
            lock.relay = {b, c};
            locks_.push_back(lock);
        }
    }
}

void survey::leave_out(const board_channel& relay) {
    std::erase_if(locks_, [&](const auto& lock) { return lock.relay == relay; });
}

void survey::known_before(const board_channel& relay, int number) {
    for (auto& lock : locks_) {
        lock.number_before = lock.relay == relay ? number : lock.number_before;
    }
}

std::int64_t survey::real_length(const learnt_lock& lock, std::int64_t wanted) const {
    const auto& p = boards_[lock.relay.board].profile;
    const std::int64_t unit = std::max<std::int64_t>(1, p.pulse_unit_ms);
    const std::int64_t real = (wanted + unit - 1) / unit * unit;
    const bool possible = real <= most_ && (p.longest_pulse_ms() == 0 || real <= p.longest_pulse_ms());
    return possible ? real : 0;
}

std::optional<survey::step> survey::next() const {
    for (const auto length : lengths_) {
        for (std::size_t i = 0; i < locks_.size(); ++i) {
            const auto& lock = locks_[i];
            const std::int64_t real = real_length(lock, length);
            if (lock.needed_ms == 0 && !lock.told_open && !lock.contested && real != 0 && lock.tried_ms < real) {
                std::int64_t longest = 0;
                for (const auto other : lengths_) {
                    longest = std::max(longest, real_length(lock, other));
                }
                return step{i, real, real >= longest, false};
            }
        }
    }
    for (std::size_t i = 0; i < locks_.size(); ++i) {
        if (locks_[i].needed_ms > 0 && !locks_[i].confirmed && (twice_ || locks_[i].resumed)) {
            return step{i, locks_[i].needed_ms, false, true};
        }
    }
    return std::nullopt;
}

void survey::saw(const step& what, std::vector<moved_input> moved) {
    auto& lock = locks_.at(what.lock);
    std::erase_if(moved, [&](const auto& m) {
        return std::find(unstable_.begin(), unstable_.end(), m.where) != unstable_.end();
    });
    if (what.confirm) {
        const bool same = std::is_permutation(moved.begin(), moved.end(), lock.moved.begin(), lock.moved.end(),
                                              [](const auto& a, const auto& b) { return a.where == b.where; });
        lock.confirmed = same;
        lock.contested = !same && lock.contests > 0;
        lock.needed_ms = same ? lock.needed_ms : 0;
        if (!same && ++lock.contests == 1) {  // another door may have been late: it is learnt anew, once
            lock.tried_ms = 0;
            lock.moved.clear();
        }
        return;
    }
    lock.tried_ms = what.length_ms;
    if (!moved.empty()) {
        lock.needed_ms = what.length_ms;
        lock.moved = std::move(moved);
    }
}

void survey::again(const step& what) {
    auto& lock = locks_.at(what.lock);
    lock.tried_ms = what.length_ms - 1;
}

bool survey::usable(const learnt_lock& lock) {
    return !lock.contested && (lock.told_open || (lock.needed_ms > 0 && lock.moved.size() == 1));
}

void survey::name_door(std::size_t lock, int number, bool seen) {
    locks_.at(lock).number = number;
    locks_.at(lock).told_open = seen;
    named_last_ = number;
}

std::optional<std::string> survey::renumber(const std::string& said) {
    const auto equals = said.find('=');
    if (equals == std::string::npos) {
        return std::nullopt;
    }
    const auto number = [](std::string_view digits) {
        int n = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
        return error == std::errc{} && end == digits.data() + digits.size() ? n : 0;
    };
    const int from = number(std::string_view(said).substr(0, equals));
    const int to = number(std::string_view(said).substr(equals + 1));
    const auto called = [this](int n) {
        return std::find_if(locks_.begin(), locks_.end(), [&](const auto& l) { return n > 0 && l.number == n; });
    };
    const auto lock = called(from);
    if (lock == locks_.end()) {
        return fmt::format("no door was called {} so far", said.substr(0, equals));
    }
    if (to < 1 || to > limits::compartment_max) {
        return "after = a number from 1 to 999 is wanted";
    }
    if (const auto other = called(to); other != locks_.end()) {
        other->number = from;
    }
    lock->number = to;
    return "";
}

int survey::next_number() const {
    int next = named_last_ + 1;
    while (std::any_of(locks_.begin(), locks_.end(), [&](const auto& l) { return l.number == next; })) {
        ++next;
    }
    return next;
}

void survey::settle(int doors_expected) {
    std::set<int> taken;
    std::vector<learnt_lock*> silent;
    int doors = 0;
    for (auto& lock : locks_) {
        taken.insert(lock.number);
        doors += usable(lock) ? 1 : 0;
        if (lock.needed_ms == 0 && !lock.told_open && !lock.contested) {
            silent.push_back(&lock);
        }
    }
    if (doors_expected > 0 && doors + static_cast<int>(silent.size()) == doors_expected) {
        for (auto* lock : silent) {
            lock->told_open = true;
        }
    }
    for (auto& lock : locks_) {  // what stands on a door does not change with its wires
        if (lock.number == 0 && usable(lock) && lock.number_before != 0 && taken.insert(lock.number_before).second) {
            lock.number = lock.number_before;
        }
    }
    int number = 1;
    for (auto& lock : locks_) {
        if (lock.number == 0 && usable(lock)) {
            while (!taken.insert(number).second) {
                ++number;
            }
            lock.number = number;
        }
    }
}

int survey::users(const board_channel& input) const {
    int count = 0;
    for (const auto& lock : locks_) {
        count +=
            std::any_of(lock.moved.begin(), lock.moved.end(), [&](const auto& m) { return m.where == input; }) ? 1 : 0;
    }
    return count;
}

std::string survey::said(const board_channel& c) const {
    return fmt::format("{} (address {}) channel {}", boards_[c.board].name, boards_[c.board].address, c.channel + 1);
}

std::vector<finding> survey::findings() const {
    std::vector<finding> out;
    std::set<board_channel> shared;
    std::set<board_channel> used;
    const auto home = [&](const learnt_lock& lock) {  // the input beside the relay on its own board
        return lock.relay.channel < boards_[lock.relay.board].profile.inputs;
    };
    for (const auto& lock : locks_) {
        const std::string door = lock.number > 0 ? fmt::format("door {}", lock.number) : "no door";
        if (lock.contested) {
            out.push_back(
                {"contested",
                 fmt::format("relay {}: another input moved the second time: it is left out. Shut all doors, and "
                             "run this again with --anew",
                             said(lock.relay)),
                 lock.relay});
            continue;
        }
        if (lock.moved.empty()) {
            out.push_back(
                lock.told_open
                    ? finding{"no_contact", fmt::format("{}, relay {}: no contact tells of it: its cable is cut, "
                                                        "not wired, or the lock has none",
                                                        door, said(lock.relay))}
                    : finding{"nothing_moved",
                              fmt::format("relay {}: nothing moved, up to {} ms: no lock is wired "
                                          "to it, it jams, or its contact is not wired",
                                          said(lock.relay), lock.tried_ms),
                              lock.relay});
            continue;
        }
        for (const auto& m : lock.moved) {
            used.insert(m.where);
            if (users(m.where) > 1) {
                shared.insert(m.where);
            }
        }
        const auto& m = lock.moved.front();
        if (lock.moved.size() > 1) {
            out.push_back(
                {"several_inputs",
                 fmt::format("relay {}: {} inputs moved: two doors may open by it. It is left out; wire one contact "
                             "to each lock, and one lock to each relay",
                             said(lock.relay), lock.moved.size()),
                 lock.relay});
        }
        if (!m.rest && users(m.where) == 1) {
            out.push_back({"inverted", fmt::format("{}: input {} reads off while the door is shut: closed = \"off\"",
                                                   door, said(m.where))});
        }
        if (m.where != lock.relay && home(lock) && users(m.where) == 1) {
            out.push_back(
                {"crossed", fmt::format("{}: relay {}, contact at input {}", door, said(lock.relay), said(m.where))});
        }
        if (m.bounce_ms > 200) {
            out.push_back({"bounces", fmt::format("{}: its contact chattered for {} ms", door, m.bounce_ms)});
        }
        if (lock.needed_ms > 300) {
            out.push_back({"slow_lock", fmt::format("{}: its lock let go only at {} ms", door, lock.needed_ms)});
        }
    }
    for (const auto& input : shared) {
        std::vector<int> doors;
        for (const auto& lock : locks_) {
            if (std::any_of(lock.moved.begin(), lock.moved.end(), [&](const auto& m) { return m.where == input; })) {
                doors.push_back(lock.number);
            }
        }
        out.push_back({"shared_input", fmt::format("input {} moves with doors {}: it proves nothing for any of them; "
                                                   "give each its own",
                                                   said(input), fmt::join(doors, ", "))});
    }
    for (const auto& input : unstable_) {
        out.push_back({"unstable_input", fmt::format("input {} changes by itself: a loose cable", said(input))});
    }
    for (std::size_t b = 0; b < boards_.size(); ++b) {
        for (int c = 0; c < boards_[b].profile.inputs; ++c) {
            if (used.count({b, c}) == 0 &&
                std::find(unstable_.begin(), unstable_.end(), board_channel{b, c}) == unstable_.end()) {
                out.push_back({"unused_input", fmt::format("input {} moved with no door", said({b, c})), {b, c}});
            }
        }
    }
    return out;
}

std::int64_t survey::pulse_ms() const {
    std::int64_t needed = 0;
    std::int64_t unit = 100;
    for (const auto& lock : locks_) {
        if (usable(lock)) {
            needed = std::max(needed, lock.needed_ms);
            unit = std::max<std::int64_t>(unit, boards_[lock.relay.board].profile.pulse_unit_ms);
        }
    }
    const std::int64_t wanted = (std::max<std::int64_t>(needed * 3 / 2, 200) + unit - 1) / unit * unit;
    return std::max({std::min(wanted, most_ / unit * unit), needed, unit});
}

std::string survey::journal(const std::string& of) const {
    array locks;
    for (const auto& lock : locks_) {
        array moved;
        for (const auto& m : lock.moved) {
            moved.push_back(json_of(m));
        }
        locks.push_back(object{{"number", lock.number},
                               {"tried_ms", lock.tried_ms},
                               {"needed_ms", lock.needed_ms},
                               {"told_open", lock.told_open},
                               {"confirmed", lock.confirmed},
                               {"moved", std::move(moved)}});
    }
    return serialize(object{{"of", of}, {"boards", json_of(boards_)}, {"locks", std::move(locks)}});
}

bool survey::resume(const std::string& text, const std::string& of) {
    boost::system::error_code error;
    const auto v = boost::json::parse(text, error);
    try {
        if (error || v.at("of") != boost::json::string(of) || v.at("boards") != json_of(boards_) ||
            v.at("locks").as_array().size() != locks_.size()) {
            return false;
        }
        auto read = locks_;
        for (std::size_t i = 0; i < read.size(); ++i) {
            const auto& o = v.at("locks").at(i);
            read[i].number = o.at("number").to_number<int>();
            read[i].tried_ms = o.at("tried_ms").to_number<std::int64_t>();
            read[i].needed_ms = o.at("needed_ms").to_number<std::int64_t>();
            read[i].told_open = o.at("told_open").as_bool();
            read[i].resumed = read[i].needed_ms > 0;
            if (read[i].needed_ms == 0 && !read[i].told_open) {
                read[i].tried_ms = 0;  // what hindered it may have been mended since
            }
            // Nobody has told its number: it is opened once more, so that somebody sees which door it is.
            const bool unnamed = !twice_ && read[i].number == 0;
            if (unnamed) {
                read[i].tried_ms = read[i].needed_ms = 0;
                continue;
            }
            for (const auto& m : o.at("moved").as_array()) {
                read[i].moved.push_back({{m.at("board").to_number<std::size_t>(), m.at("channel").to_number<int>()},
                                         m.at("rest").as_bool(),
                                         m.at("first_ms").to_number<std::int64_t>(),
                                         m.at("bounce_ms").to_number<std::int64_t>()});
            }
        }
        locks_ = std::move(read);
        return true;
    } catch (const std::exception&) {
        return false;  // not ours, or of another release
    }
}

std::string configured(const std::string& before, const survey& learnt, const std::string& bus_tables,
                       const std::map<int, door_kept>& kept) {
    const std::string pulse = fmt::format("pulse_ms = {}", learnt.pulse_ms());
    std::string out;
    std::istringstream in(before);
    std::string section;
    bool pulse_said = false;
    for (std::string line; std::getline(in, line);) {
        if (const auto name = header(line); !name.empty()) {
            section = name;
        }
        const std::string table = section.substr(0, section.find('.'));
        if (table == "board" || table == "compartment") {
            continue;
        }
        if (section == "lock" && is_key(line, "pulse_ms")) {
            continue;
        }
        out += line + "\n";
        if (section == "lock" && !header(line).empty()) {
            out += pulse + "\n";
            pulse_said = true;
        }
    }
    while (out.ends_with("\n\n")) {
        out.pop_back();
    }
    if (!pulse_said) {
        out += "\n[lock]\n" + pulse + "\n";
    }
    out += bus_tables;
    for (const auto& b : learnt.boards()) {
        out += fmt::format("\n[[board]]\nname = \"{}\"\nbus = \"{}\"\naddress = {}\nprofile = \"{}\"\n", b.name, b.bus,
                           b.address, b.profile.name);
    }
    auto locks = learnt.locks();
    std::sort(locks.begin(), locks.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    for (const auto& lock : locks) {
        if (lock.number == 0 || !survey::usable(lock)) {
            continue;
        }
        const auto at = kept.find(lock.number);
        const door_kept door = at == kept.end() ? door_kept{} : at->second;
        out += fmt::format("\n[[compartment]]\nnumber = {}\n", lock.number);
        out += door.size.empty() ? "" : fmt::format("size = \"{}\"\n", door.size);
        out += door.accessible ? "accessible = true\n" : "";
        out += door.supply != 1 ? fmt::format("supply = {}\n", door.supply) : "";
        out += fmt::format("relay = {{ board = \"{}\", channel = {} }}\n", learnt.boards()[lock.relay.board].name,
                           lock.relay.channel + 1);
        const bool proves = !lock.moved.empty() && learnt.users(lock.moved.front().where) == 1;
        if (!proves) {
            out += "contact = \"none\"\n";
            continue;
        }
        const auto& m = lock.moved.front();
        out +=
            fmt::format("contact = \"{}\"\ninput = {{ board = \"{}\", channel = {} }}\nclosed = \"{}\"\n", door.contact,
                        learnt.boards()[m.where.board].name, m.where.channel + 1, m.rest ? "on" : "off");
    }
    return out;
}

std::string wiring_record(const survey& learnt, const std::string& cabinet, std::int64_t wall_ms,
                          const std::vector<finding>& findings) {
    array doors;
    for (const auto& lock : learnt.locks()) {
        if (lock.number == 0 || !survey::usable(lock)) {
            continue;
        }
        object door{{"number", lock.number},
                    {"relay", array{lock.relay.board, lock.relay.channel + 1}},
                    {"needed_ms", lock.needed_ms}};
        if (!lock.moved.empty()) {
            const auto& m = lock.moved.front();
            door["input"] = array{m.where.board, m.where.channel + 1};
            door["closed"] = m.rest ? "on" : "off";
            door["opening_ms"] = m.first_ms;
            door["bounce_ms"] = m.bounce_ms;
            door["shared"] = learnt.users(m.where) > 1;
        }
        doors.push_back(std::move(door));
    }
    array found;
    for (const auto& f : findings) {
        found.push_back(object{{"kind", f.kind}, {"text", f.text}});
    }
    return serialize(object{{"cabinet", cabinet},
                            {"time", format_time(wall_ms)},
                            {"boards", json_of(learnt.boards())},
                            {"doors", std::move(doors)},
                            {"findings", std::move(found)}});
}

}  // namespace locker
