#include "daemon/core/credentials.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "daemon/core/grants.hpp"
#include "daemon/core/openings.hpp"
#include "daemon/core/replies.hpp"
#include "daemon/core/staff.hpp"
#include "hal/ports/canary.hpp"
#include "protocol/code.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker::core {
namespace {

struct match {
    const deposit* d = nullptr;
    std::uint64_t issue = 0;
    bool grace = false;     // taken a moment ago: the same code, the same door
    bool standing = false;  // this very code holds the door open now
};

bool standing_open(const work& w, const deposit& d, std::uint64_t issue) {
    return std::any_of(w.s.d.openings.begin(), w.s.d.openings.end(), [&](const auto& entry) {
        const opening& o = entry.second;
        return o.deposit == d.id && o.issue == issue && o.opened_at >= 0;
    });
}

bool still_good(const work& w, const deposit& d, std::uint64_t issue) {
    return d.unknown_issue != issue || (d.unknown_left > 0 && w.age < d.unknown_until);
}

// Every retrievable deposit with issues n … n+4 (design §3), and codes just used.
std::vector<match> find_matches(const work& w, std::uint32_t eight, int door) {
    std::vector<match> found;
    for (const auto& [id, d] : w.s.d.deposits) {
        if (door != 0 && d.compartment != door) {
            continue;
        }
        const bool grace = in_grace(w, d);
        const bool tried = d.retrievable() || d.state == deposit_state::reclaimed;
        if (!tried && !grace) {
            continue;
        }
        for (const auto& cabinet_key : w.config.cabinet_keys) {
            const auto key = deposit_key(cabinet_key, d.id);
            for (std::uint64_t issue = d.issue_next; tried && issue < d.issue_next + limits::code_window; ++issue) {
                if (hotp8(key, issue) == eight && still_good(w, d, issue)) {
                    found.push_back({&d, issue, false, false});
                }
            }
            if (d.spent_issue && hotp8(key, *d.spent_issue) == eight) {
                const bool standing = standing_open(w, d, *d.spent_issue);
                if (grace || standing) {
                    found.push_back({&d, *d.spent_issue, grace, standing});
                }
            }
        }
    }
    return found;
}

void refuse(work& w, const code_attempt& attempt, const refusal& why) {
    say_refused(w, why.code, attempt.via, attempt.compartment);
    if (why.code == error_code::wrong_code) {  // charged: the same command again is not charged again
        remember(w, attempt.command, attempt.digest, error_reply(attempt.who.id, why, w.config.help));
    }
    w.answer_error(attempt.who, why);
}

// Charges whoever guessed. The charge is committed before the answer shows, as every effect is.
void charge(work& w, std::string_view bucket, std::string_view via) {
    auto& t = w.s.d.throttles[std::string(bucket)];
    const bool was_alarming = t.guessing_alarm(w.age);
    t.charge(w.age);
    t.charged_ms = w.wall;
    if (t.locked_out(w.age)) {
        event_data data;
        data.via = std::string(via);
        w.say(event_type::credential_locked_out, "", data);
    }
    if (!was_alarming && t.guessing_alarm(w.age)) {
        w.note_line(note::level::warning, "event=guessing entry=" + std::string(bucket));
    }
}

// A locked-out entry takes nothing but `door # code`, charged to the bucket of the deposit behind that door. Null: it
// is judged, and right.
std::optional<error_code> judge_locked_out(work& w, const code_attempt& attempt, const std::vector<match>& found) {
    if (sick(canary::lock_out_spares_right_codes) && !found.empty()) {
        return std::nullopt;
    }
    if (attempt.compartment == 0) {
        return error_code::locked_out;
    }
    const auto at = w.s.d.compartments.find(attempt.compartment);
    auto* d = at == w.s.d.compartments.end() ? nullptr : w.find_deposit(at->second.deposit);
    if (d == nullptr && !found.empty()) {
        return std::nullopt;  // the grace of a deposit that has ended: nothing to guess at
    }
    if (d == nullptr || d->own.empty(w.age, deposit_capacity, deposit_refill)) {
        return error_code::locked_out;
    }
    if (found.empty() && sick(canary::guesses_at_a_door_are_free)) {
        return error_code::wrong_code;
    }
    if (found.empty()) {
        d->own.charge(w.age, deposit_refill);
        return error_code::wrong_code;
    }
    return std::nullopt;
}

void open_by_code(work& w, const code_attempt& attempt, const match& m) {
    authority a;
    a.what = purpose::collect;
    a.compartment = m.d->compartment;
    a.deposit = m.d->id;
    a.by = "code";
    a.via = attempt.via;
    a.issue = m.issue;
    a.grace = m.grace;
    a.command = attempt.command;
    a.who = attempt.who;
    if (m.standing) {
        refuse(w, attempt, {error_code::busy, fmt::format("door {} is open already", a.compartment)});
        return;
    }
    if (const auto why = hindrance(w, a.compartment)) {
        refuse(w, attempt, *why);
        return;
    }
    remember(w, attempt.command, attempt.digest, "");
    authorise(w, a);
}

}  // namespace

void try_code(work& w, const code_attempt& attempt) {
    const auto eight = parse_code(attempt.text);
    if (!eight) {
        const bool typo = eight.error() == error_code::typo;
        w.count(typo ? "codes.typo" : "codes.malformed");  // counted, not ledgered
        if (typo) {
            w.answer_error(attempt.who, {eight.error(), "the check digit does not fit"});
        } else {
            w.answer_error(attempt.who,
                           {eight.error(), "nine digits are wanted",
                            sentence{"请输入九位取件码；工作人员请先登录：工号 # 动态码。",
                                     "Enter the nine digits of your code. Staff sign in first: number # code."}});
        }
        return;
    }
    if (attempt.compartment != 0 && w.s.d.compartments.count(attempt.compartment) == 0) {
        refuse(w, attempt, {error_code::unknown_compartment, fmt::format("there is no door {}", attempt.compartment)});
        return;
    }
    const auto found = find_matches(w, *eight, attempt.compartment);
    const auto& t = w.s.d.throttles[std::string(attempt.throttle)];
    if (t.locked_out(w.age)) {
        if (const auto why = judge_locked_out(w, attempt, found)) {
            const bool at_the_door = attempt.compartment != 0 && *why == error_code::locked_out;
            refuse(
                w, attempt,
                {*why, "",
                 at_the_door ? std::optional(sentence{"此柜门尝试次数过多，请用手机开门，或联系工作人员。",
                                                      "Too many tries at this door. Use the phone, or ask the staff."})
                             : std::nullopt});
            return;
        }
    }
    if (found.empty()) {
        refuse(w, attempt, {error_code::wrong_code, ""});
        charge(w, attempt.throttle, attempt.via);
        return;
    }
    if (std::any_of(found.begin(), found.end(), [&](const match& m) { return m.d != found.front().d; })) {
        refuse(w, attempt, {error_code::ambiguous, "the code fits two deposits: give the door number"});
        return;
    }
    if (found.front().d->state == deposit_state::reclaimed) {
        refuse(w, attempt, with_the_staff());
        return;
    }
    open_by_code(w, attempt, found.front());
}

void charge_front(work& w, std::string_view via) {
    charge(w, "front", via);
}

asker asker_of(std::uint64_t entry) {
    asker who;
    who.entry = entry;
    return who;
}

namespace {

void show_grant(work& w, const entry& e, std::string_view via) {
    const asker who = asker_of(e.id);
    if (e.via == entry_via::keypad) {
        say_refused(w, error_code::not_permitted, via);
        w.answer_error(who, {error_code::not_permitted, "a grant is shown at the scanner"});
        return;
    }
    auto g = read_grant(e.text, channel::local);
    if (!g) {
        w.count("grants.malformed");
        w.answer_error(who, g.error());
        return;
    }
    present(w, {std::move(*g), {}, channel::local, via, e.terminal, "", "", who});
}

// "door # code", or a code alone. Nothing: the door is no door.
std::optional<code_attempt> read_attempt(const entry& e, std::string_view via) {
    code_attempt attempt{e.text, 0, "front", via, "", "", asker_of(e.id)};
    const auto hash = e.text.find('#');
    if (hash == std::string::npos) {
        return attempt;
    }
    std::string_view door(e.text.data(), hash);
    while (!door.empty() && door.back() == ' ') {
        door.remove_suffix(1);
    }
    attempt.text.remove_prefix(hash + 1);
    while (!attempt.text.empty() && attempt.text.front() == ' ') {
        attempt.text.remove_prefix(1);
    }
    const auto [at, error] = std::from_chars(door.data(), door.data() + door.size(), attempt.compartment);
    if (error != std::errc{} || at != door.data() + door.size() || attempt.compartment < 1 ||
        attempt.compartment > limits::compartment_max) {
        return std::nullopt;
    }
    return attempt;
}

// True when the line was one of somebody who has signed in there.
bool staff_line(work& w, const entry& e) {
    const auto at = w.s.l.sessions.find(e.terminal);
    const auto deed = parse_deed(e.text);
    const bool digits = e.text.find_first_of("0123456789") == 0;
    if (!deed) {
        if (at == w.s.l.sessions.end() || digits) {
            return false;
        }
        w.answer_error(asker_of(e.id), malformed("one of these is wanted: " + deed_forms()));
        return true;
    }
    if (at == w.s.l.sessions.end()) {
        if (!digits) {
            w.answer_error(asker_of(e.id),
                           {error_code::not_permitted, "",
                            sentence{"请先登录：工号 # 动态码。", "Sign in first: staff number # code."}});
        }
        return !digits;
    }
    if (!*deed) {
        w.answer_error(asker_of(e.id), deed->error());
        return true;
    }
    at->second.last = w.now.mono_ms;  // a resident's code at the same keypad does not keep it
    do_deed(w, e, session(at->second), **deed);
    return true;
}

}  // namespace

void handle_entry(work& w, const entry& e) {
    const std::string_view via = e.via == entry_via::keypad    ? "keypad"
                                 : e.via == entry_via::scanner ? "scanner"
                                                               : "socket";
    const asker who = asker_of(e.id);
    if (e.text.size() > (e.via == entry_via::keypad ? limits::entry_bytes : limits::grant_bytes)) {
        w.answer_error(who, malformed("too long"));
        return;
    }
    if (looks_like_grant(e.text)) {
        show_grant(w, e, via);
    } else if (const auto code = parse_staff_code(e.text)) {
        sign_in(w, e, via, *code);
    } else if (!staff_line(w, e)) {
        const auto attempt = read_attempt(e, via);
        if (attempt) {
            try_code(w, *attempt);
        } else {
            w.answer_error(who, malformed("door # code is wanted"));
        }
    }
}

}  // namespace locker::core
