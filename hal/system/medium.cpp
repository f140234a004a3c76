#include "hal/system/medium.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

namespace locker {
namespace {

namespace fs = std::filesystem;

// The words of a small file; none when it cannot be read.
std::vector<std::string> words_of(const fs::path& file) {
    std::ifstream in(file);
    std::vector<std::string> out;
    for (std::string word; in >> word;) {
        out.push_back(word);
    }
    return out;
}

// The word of that index as a number, decimal or 0x….
std::optional<std::uint64_t> number_of(const fs::path& file, std::size_t index) {
    const auto words = words_of(file);
    if (index >= words.size()) {
        return std::nullopt;
    }
    try {
        return std::stoull(words[index], nullptr, 0);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

}  // namespace

medium_health health_of(const std::string& folder, const std::string& sysfs) {
    medium_health out;
    struct statvfs space {};
    if (::statvfs(folder.c_str(), &space) == 0) {
        out.free_bytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    }
    struct stat info {};
    std::error_code error;
    if (::stat(folder.c_str(), &info) != 0) {
        return out;
    }
    const fs::path device = fs::canonical(
        fs::path(sysfs) / "dev/block" / fmt::format("{}:{}", major(info.st_dev), minor(info.st_dev)), error);
    if (error) {
        return out;  // not on a disk of its own: tmpfs, overlay
    }
    const fs::path disk = fs::exists(device / "partition", error) ? device.parent_path() : device;
    if (const auto sectors = number_of(disk / "stat", 6)) {  // Documentation/block/stat.rst: sectors of 512 bytes
        out.written_mb = *sectors / 2048;
    }
    const fs::path ext4 = fs::path(sysfs) / "fs/ext4" / device.filename();
    if (const auto kib = number_of(ext4 / "lifetime_write_kbytes", 0)) {
        out.lifetime_written_mb = *kib / 1024;
    }
    out.errors = number_of(ext4 / "errors_count", 0);
    // Two kinds of cells, two lives: the worse counts. 0: not told.
    const auto life = std::max(number_of(disk / "device/life_time", 0).value_or(0),
                               number_of(disk / "device/life_time", 1).value_or(0));
    if (life > 0) {
        out.life_used_percent = static_cast<int>(std::min<std::uint64_t>(life, 11) * 10);
    }
    if (const auto eol = number_of(disk / "device/pre_eol_info", 0); eol.value_or(0) > 0) {
        out.pre_eol = static_cast<int>(*eol);
    }
    return out;
}

}  // namespace locker
