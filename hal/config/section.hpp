// A configuration file, table by table: hands out keys, knows which were asked for, collects what is wrong.
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/limits.hpp"

namespace locker {

struct config_error {
    int line = 0;  // 0: of the file as a whole
    std::string key;
    std::string what;  // what is wrong and what would be right
};

// "file:12: compartment.lock: …"
[[nodiscard]] std::string shown(const std::string& file, const config_error& e);

[[nodiscard]] std::variant<toml::table, std::vector<config_error>> read_table(const std::string& file);

// "host:port", "[::1]:port". Nothing: it is not that.
struct endpoint {
    std::string host;
    int port = 0;
};
[[nodiscard]] std::optional<endpoint> host_and_port(std::string_view text);

// Every error names the line and the key, and says what is wanted; reading goes on, so that all are told at once.
class section {
public:
    // `table` may be null: the file lacks it. `line` is where errors of missing keys point to; 0: nowhere.
    section(const toml::table* table, std::string name, int line, std::vector<config_error>& errors)
        : table_(table), name_(std::move(name)), line_(line), errors_(errors) {}

    void wrong(std::string_view key, std::string what) const;
    [[nodiscard]] bool has(std::string_view key) const { return node(key) != nullptr; }

    // Nothing: it is missing, or wrong and told.
    std::optional<std::string> text(std::string_view key, bool required, std::size_t most = limits::text_bytes);
    std::optional<std::int64_t> number(std::string_view key, bool required, std::int64_t low, std::int64_t high);
    bool flag(std::string_view key, bool otherwise);
    std::optional<std::vector<std::int64_t>> numbers(std::string_view key, std::int64_t low, std::int64_t high,
                                                     std::size_t most);
    std::vector<std::string> texts(std::string_view key, bool required, std::size_t most);
    std::optional<std::size_t> choice(std::string_view key, std::initializer_list<std::string_view> words,
                                      bool required);

    // { board = "A", channel = 3 }
    struct channel_of {
        std::string board;
        int channel = 0;  // from 1, as printed on the board
    };
    std::optional<channel_of> channel(std::string_view key, bool required);

    std::vector<section> tables(std::string_view key);
    section table(std::string_view key);

    // To be called last: what nobody asked for is a typing error.
    void no_others() const;

private:
    [[nodiscard]] const toml::node* node(std::string_view key) const;
    [[nodiscard]] int line_of(std::string_view key) const;
    const toml::node* take(std::string_view key, bool required, std::string_view wanted);

    const toml::table* table_;
    std::string name_;
    int line_;
    std::vector<config_error>& errors_;
    std::set<std::string> known_;
};

// A path as it stands in a file of this folder.
[[nodiscard]] std::string path_in(const std::filesystem::path& folder, const std::string& given);

// The path of a file of keys. "credential:NAME" is one that systemd hands to this service alone (LoadCredential=).
[[nodiscard]] std::optional<std::string> key_file(section& s, std::string_view key, bool required,
                                                  const std::filesystem::path& folder);

}  // namespace locker
