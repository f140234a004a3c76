// What a cabinet's wiring is, as it shows when each lock is pulsed and every contact watched. Pure: what was seen is
// handed in; nothing here knows a line, a clock or a screen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hal/boards/profile.hpp"

namespace locker {

struct found_board {
    std::string name;  // as the configuration will call it
    std::string bus;
    int address = 1;
    board_profile profile;
    std::string firmware;  // empty: it does not say
};

struct board_channel {
    std::size_t board = 0;  // index
    int channel = 0;        // from 0
    auto operator<=>(const board_channel&) const =
        default;  // NOLINT(modernize-use-nullptr): its own code, by the check
};

// All inputs of one board, as read once.
struct input_sample {
    std::int64_t at_ms = 0;  // since the pulse was acknowledged
    std::size_t board = 0;
    std::uint32_t bits = 0;
};

// An input that left its rest.
struct moved_input {
    board_channel where;
    bool rest = false;           // its level before
    std::int64_t first_ms = 0;   // since the pulse
    std::int64_t bounce_ms = 0;  // from its first change to its last
    bool operator==(const moved_input&) const = default;
};

// `rest`: bits of each board while all doors are shut. Ordered by time.
[[nodiscard]] std::vector<moved_input> what_moved(const std::vector<std::uint32_t>& rest,
                                                  const std::vector<input_sample>& samples);

struct learnt_lock {
    board_channel relay;
    int number = 0;                  // on the door; 0: not yet known
    std::int64_t tried_ms = 0;       // the longest pulse so far
    std::int64_t needed_ms = 0;      // the shortest that moved something; 0: none did
    std::vector<moved_input> moved;  // by it
    bool told_open = false;          // nothing moved, but somebody saw a door open
    bool resumed = false;            // by an earlier run: a wire may have been changed since, it is confirmed
    bool confirmed = false;          // a second pulse moved the same
    int contests = 0;                // … or something else: it is learnt anew once …
    bool contested = false;          // … and then nothing is believed
    int number_before = 0;           // as the configuration had it; 0: it had not
    bool operator==(const learnt_lock&) const = default;
};

// Something an installer should know. `kind` is for programs, `text` a sentence.
struct finding {
    std::string kind;
    std::string text{};
    board_channel where{};  // of nothing_moved, unused_input
};

class survey {
public:
    // Pulses of `lengths`, ascending, each over all relays that moved nothing so far; none is longer than `most`, also
    // where a board counts in longer units. `twice`: whatever moved something is pulsed once more, and must move the
    // same.
    survey(std::vector<found_board> boards, std::vector<std::int64_t> lengths, std::int64_t most, bool twice);
    // A relay that drives no lock.
    void leave_out(const board_channel& relay);
    void known_before(const board_channel& relay, int number);

    struct step {
        std::size_t lock = 0;  // index in locks()
        std::int64_t length_ms = 0;
        bool last = false;     // no longer pulse will be tried
        bool confirm = false;  // the second one
    };
    [[nodiscard]] std::optional<step> next() const;
    void saw(const step& what, std::vector<moved_input> moved);
    // What is on the door that this lock opens. `seen`: by somebody's eyes, no contact told it.
    // What was seen came too late to be sure of: the same pulse once more.
    void again(const step& what);
    void name_door(std::size_t lock, int number, bool seen);
    void unstable(const board_channel& input) { unstable_.push_back(input); }

    [[nodiscard]] const std::vector<learnt_lock>& locks() const { return locks_; }
    [[nodiscard]] const std::vector<found_board>& boards() const { return boards_; }
    // "12=13": the door that was called 12 is 13; both, if there is a 13 already: they change places. Nothing: `said`
    // is no such thing; empty: done; else what is wrong with it.
    std::optional<std::string> renumber(const std::string& said);
    [[nodiscard]] int next_number() const;

    // Relays that moved nothing are doors without a contact, when just so many doors are missing.
    void settle(int doors_expected);
    [[nodiscard]] std::vector<finding> findings() const;
    // How many doors of what was learnt share this input.
    [[nodiscard]] int users(const board_channel& input) const;
    // For all locks: half as long again as the slowest needs, in whole steps of 100 ms, at least 200, at most `most`.
    [[nodiscard]] std::int64_t pulse_ms() const;
    // Opens one door for certain: only such a lock is written down.
    [[nodiscard]] static bool usable(const learnt_lock& lock);

    // What a stopped run goes on with, as JSON; `of`: the cabinet and its configuration. False: it is of others, or of
    // other boards.
    [[nodiscard]] std::string journal(const std::string& of) const;
    [[nodiscard]] bool resume(const std::string& journal, const std::string& of);

private:
    [[nodiscard]] std::string said(const board_channel& c) const;
    std::vector<found_board> boards_;
    [[nodiscard]] std::int64_t real_length(const learnt_lock& lock, std::int64_t wanted) const;  // 0: not possible
    std::vector<std::int64_t> lengths_;
    std::int64_t most_;
    bool twice_;
    std::vector<learnt_lock> locks_;
    int named_last_ = 0;
    std::vector<board_channel> unstable_;
};

// A door's properties that no pulse can tell; kept from the configuration before.
struct door_kept {
    std::string size;
    bool accessible = false;
    std::int64_t supply = 1;
    std::string contact = "door";  // or latch
};

// The configuration before, with its boards, compartments and pulse length replaced by what was learnt. All else stands
// as it stood, comments too. `bus_tables`: [[bus]] tables to add, when it has none.
[[nodiscard]] std::string configured(const std::string& before, const survey& learnt, const std::string& bus_tables,
                                     const std::map<int, door_kept>& kept);

// The record of a wiring, canonical JSON: what is signed.
[[nodiscard]] std::string wiring_record(const survey& learnt, const std::string& cabinet, std::int64_t wall_ms,
                                        const std::vector<finding>& findings);

}  // namespace locker
