// Checks board profiles while they are built in: what is wrong stands in the build's output, not at a cabinet.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "hal/boards/profile.hpp"

int main(int argc, char** argv) {
    int wrong = 0;
    for (int i = 1; i < argc; ++i) {
        std::ifstream file(argv[i]);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const auto result = locker::parse_profile(text);
        if (const auto* mistakes = std::get_if<std::vector<std::string>>(&result)) {
            for (const auto& what : *mistakes) {
                fmt::print(stderr, "{}: {}\n", argv[i], what);
                ++wrong;
            }
        }
    }
    return wrong == 0 ? 0 : 1;
}
