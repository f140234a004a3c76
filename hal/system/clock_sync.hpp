// Whether the kernel calls the clock synchronised. systemd's ProtectClock= forbids even to ask (adjtimex(2) sets
// clocks, too), and takes a sixth of a service's exposure for it: so lockerd may not, and `lockerd-clock` asks for it.
#pragma once

#include <cstdint>
#include <string>

namespace locker {

enum class sync_state : std::uint8_t { no, yes, may_not_ask };
[[nodiscard]] sync_state kernel_sync();

// `lockerd-clock`'s word: a file that holds, in seconds since the kernel's boot, when it was so last.
inline constexpr const char* told_sync_file = "/run/lockerd-clock/synchronised";
inline constexpr std::int64_t tell_every_s = 10;
void tell_sync(const std::string& file, bool synchronised);
[[nodiscard]] bool told_sync(const std::string& file);  // not if the word is older than three of its turns

}  // namespace locker
