// How the medium under the state folder ages, as far as it tells.
#pragma once

#include <cstdint>
#include <optional>

namespace locker {

struct medium_health {
    std::uint64_t free_bytes = 0;
    std::optional<std::uint64_t> written_mb;           // by this machine since it started, to the whole medium
    std::optional<std::uint64_t> lifetime_written_mb;  // to the file system since it was made (ext4)
    std::optional<std::uint64_t> errors;               // that the file system met since it was checked (ext4)
    // eMMC, JESD84-B51 §7.4.38 to 7.4.40. Parts of its life that are used, percent: the upper end of the tenth told.
    std::optional<int> life_used_percent;
    std::optional<int> pre_eol;  // 1 normal, 2 warning: 80 % of the reserve is used, 3 urgent
};

// It should be changed while it still works.
[[nodiscard]] inline bool wears_out(const medium_health& m) {
    return m.life_used_percent.value_or(0) > 90 || m.pre_eol.value_or(0) >= 2 || m.errors.value_or(0) > 0;
}

}  // namespace locker
