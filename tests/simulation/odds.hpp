#pragma once

#include <cstdint>
#include <string>

namespace sim {

// Lines for people; some seconds of work.
[[nodiscard]] std::string odds(std::uint64_t seed);

}  // namespace sim
