#include "hal/config/key_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <unistd.h>
#include <cstdlib>
#include <filesystem>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace locker {
namespace {

file_reading<std::string> read_secret_file(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0027U) != 0) {
        const bool others = (info.st_mode & 0007U) != 0;
        return file_error{fmt::format("{} can be {} (mode {:04o}); chmod 0600 it", path,
                                      (info.st_mode & 0004U) != 0 ? "read by everybody"
                                      : others                    ? "used by everybody"
                                                                  : "written by its group",
                                      info.st_mode & 07777U)};
    }
    return read_text_file(path);
}

// What decides who may open is nobody's to write but its owner's.
file_reading<std::string> read_guarded_file(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0022U) != 0) {
        return file_error{fmt::format("{} can be written by others than its owner (mode {:04o}); chmod 0644 it", path,
                                      info.st_mode & 07777U)};
    }
    return read_text_file(path);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    return text;
}

std::span<std::uint8_t> writable(std::string& text) {
    return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

file_reading<std::string> read_text_file(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        return file_error{fmt::format("{} is a folder, a file is wanted", path)};
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return file_error{fmt::format("{} cannot be read: {}", path, std::strerror(errno))};
    }
    // Straight into the one buffer that is handed on: a secret leaves no copy in a stream's.
    std::string text;
    text.reserve(static_cast<std::size_t>(std::max<std::int64_t>(info.st_size, 0)) + 2 * 4096);
    ssize_t got = 0;
    do {
        const std::size_t have = text.size();
        text.resize(have + 4096);
        got = ::read(fd, text.data() + have, 4096);
        text.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    } while (got > 0 || (got < 0 && errno == EINTR));
    const int why = errno;
    ::close(fd);
    if (got < 0) {
        return file_error{fmt::format("{} cannot be read: {}", path, std::strerror(why))};
    }
    return {boost::system::in_place_value, std::move(text)};
}

std::optional<std::string> credential_file(std::string_view name) {
    if (name.empty() || name == ".." || name.find('/') != std::string_view::npos) {
        return std::nullopt;
    }
    if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY")) {
        return (std::filesystem::path(folder) / name).string();
    }
    // By hand beside a running unit: the one of the program that was called; lockerctl's is lockerd's.
    const bool portal = std::string_view(program_invocation_short_name) == "locker-portal";
    const std::filesystem::path folder(portal ? "/run/credentials/locker-portal.service"
                                              : "/run/credentials/lockerd.service");
    return (folder / name).string();
}

file_reading<secret256> read_cabinet_key(const std::string& path) {
    auto text = read_secret_file(path);
    if (!text) {
        return text.error();
    }
    auto hex = text->size() == 32 ? std::nullopt : from_hex(trimmed(*text));
    auto key = as_key(hex ? byte_view(*hex) : bytes_of(*text));
    for (const auto copy : {writable(*text), hex ? std::span<std::uint8_t>(*hex) : std::span<std::uint8_t>()}) {
        wipe(copy);
    }
    if (!key) {
        return file_error{
            fmt::format("{} is not 32 bytes, nor 64 hex digits; make one with: lockerctl mint keys", path)};
    }
    const secret256 out(*key);
    wipe(*key);
    if (std::all_of(out.begin(), out.end(), [&](auto byte) { return byte == out.front(); })) {
        return file_error{fmt::format("{} holds no random key; make one with: lockerctl mint keys", path)};
    }
    return out;
}

file_reading<signing_key> read_signing_key(const std::string& path) {
    auto text = read_secret_file(path);
    if (!text) {
        return text.error();
    }
    auto key = parse_signing_key(*text);
    if (!key) {
        return file_error{fmt::format("{}: {}", path, key.error().detail)};
    }
    return *key;
}

file_reading<std::string> read_secret_line(const std::string& path) {
    auto text = read_secret_file(path);
    if (!text) {
        return text;
    }
    return {boost::system::in_place_value, std::string(trimmed(*text))};
}

file_reading<key_ring> read_key_ring(const std::string& path) {
    auto text = read_guarded_file(path);
    if (!text) {
        return text.error();
    }
    auto ring = parse_key_ring(*text);
    if (!ring) {
        return file_error{fmt::format("{}: {}", path, ring.error().detail)};
    }
    return *ring;
}

file_reading<issuer_key> read_root_key(const std::string& path) {
    auto text = read_guarded_file(path);
    if (!text) {
        return text.error();
    }
    auto key = parse_root_key(*text);
    if (!key) {
        return file_error{fmt::format("{}: {}", path, key.error().detail)};
    }
    return *key;
}

void write_new_file(const std::string& path, const std::string& text, unsigned mode) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        throw std::runtime_error(path + " exists already or cannot be made; keys are never overwritten");
    }
    const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    ::close(fd);
    if (!ok) {
        throw std::runtime_error(path + " could not be written");
    }
}

}  // namespace locker
