// The errors of the contract, and what each of them says to a person.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locker {

enum class error_code : std::uint8_t {
    malformed,
    expired,
    not_yet_valid,
    wrong_audience,
    bad_signature,
    unknown_key,
    stale_epoch,
    replayed,
    retained,
    wrong_code,
    typo,
    ambiguous,
    locked_out,
    suspended,
    clock_untrusted,
    no_vacancy,
    unknown_deposit,
    unknown_compartment,
    wrong_state,
    disabled,
    board_lost,
    jammed,
    unknown_outcome,
    busy,
    storage_failed,
    not_permitted,
};

inline constexpr std::size_t error_code_count = 26;

// The name on the wire, as in docs and schemas.
[[nodiscard]] std::string_view name(error_code code);
[[nodiscard]] std::optional<error_code> error_code_from(std::string_view name);

// What a resident reads: Chinese first, English second; both say what to do now.
struct sentence {
    std::string_view zh;
    std::string_view en;
    bool operator==(const sentence&) const = default;
};
[[nodiscard]] sentence sentence_for(error_code code);

// A request that was understood and turned down, or not understood. `detail` names the place and the mend, for the
// engineer who reads the reply; it never holds a code, a token or a key.
struct refusal {
    error_code code = error_code::malformed;
    std::string detail;
    // Said instead of the code's own sentence, where a person needs a more fitting one.
    std::optional<sentence> says = std::nullopt;
    bool operator==(const refusal&) const = default;
};

}  // namespace locker
