#include "daemon/app/files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace locker {
namespace {

file_reading<std::string> read_secret_file(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0007U) != 0) {
        return file_error{
            fmt::format("{} can be read by everybody (mode {:04o}); chmod 0600 it", path, info.st_mode & 07777U)};
    }
    return read_text_file(path);
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.pop_back();
    }
    return text;
}

}  // namespace

file_reading<std::string> read_text_file(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        return file_error{fmt::format("{} is a folder, a file is wanted", path)};
    }
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        return file_error{fmt::format("{} cannot be read: {}", path, std::strerror(errno))};
    }
    std::ostringstream text;
    text << in.rdbuf();
    return {boost::system::in_place_value, text.str()};
}

file_reading<key256> read_cabinet_key(const std::string& path) {
    auto text = read_secret_file(path);
    if (!text) {
        return text.error();
    }
    if (const auto raw = as_key(bytes_of(*text))) {
        return *raw;
    }
    const auto hex = from_hex(trimmed(*text));
    const auto key = hex ? as_key(*hex) : std::nullopt;
    if (!key) {
        return file_error{
            fmt::format("{} is not 32 bytes, nor 64 hex digits; make one with: lockerctl mint keys", path)};
    }
    return *key;
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
    return {boost::system::in_place_value, trimmed(*text)};
}

file_reading<key_ring> read_key_ring(const std::string& path) {
    auto text = read_text_file(path);
    if (!text) {
        return text.error();
    }
    auto ring = parse_key_ring(*text);
    if (!ring) {
        return file_error{fmt::format("{}: {}", path, ring.error().detail)};
    }
    return *ring;
}

}  // namespace locker
