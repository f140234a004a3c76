#include "hal/config/section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "hal/config/key_files.hpp"

namespace locker {

std::string shown(const std::string& file, const config_error& e) {
    return fmt::format("{}{}: {}{}{}", file, e.line > 0 ? ":" + std::to_string(e.line) : "", e.key,
                       e.key.empty() ? "" : ": ", e.what);
}

std::optional<endpoint> host_and_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    endpoint out{std::string(text.substr(0, colon)), 0};
    if (out.host.starts_with('[') && out.host.ends_with(']')) {  // IPv6
        out.host = out.host.substr(1, out.host.size() - 2);
    }
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, out.port);
    const bool good = error == std::errc{} && stop == end && out.port >= 1 && out.port <= 65535 && !out.host.empty() &&
                      out.host.find('/') == std::string::npos;
    return good ? std::optional(out) : std::nullopt;
}

std::variant<toml::table, std::vector<config_error>> read_table(const std::string& file) {
    const auto text = read_text_file(file);
    if (!text) {
        std::string what = text.error().what;
        if (what.starts_with(file)) {
            what.erase(0, file.size() + 1);  // it is named before the sentence already
        }
        return std::vector<config_error>{{0, "", what}};
    }
    try {
        return toml::parse(*text, file);
    } catch (const toml::parse_error& e) {
        return std::vector<config_error>{{static_cast<int>(e.source().begin.line), "", std::string(e.description())}};
    }
}

void section::wrong(std::string_view key, std::string what) const {
    errors_.push_back(
        {line_of(key), name_.empty() ? std::string(key) : name_ + "." + std::string(key), std::move(what)});
}

std::optional<std::string> section::text(std::string_view key, bool required, std::size_t most) {
    const auto* n = take(key, required, "a text");
    if (n == nullptr) {
        return std::nullopt;
    }
    auto value = n->value_exact<std::string>();
    const bool printable = value && std::none_of(value->begin(), value->end(), [](char c) {
                               return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
                           });
    if (!value || value->empty() || value->size() > most || !printable) {
        wrong(key, fmt::format("a text of 1 to {} bytes in quotes is wanted, on one line", most));
        return std::nullopt;
    }
    return value;
}

std::optional<std::int64_t> section::number(std::string_view key, bool required, std::int64_t low, std::int64_t high) {
    const auto* n = take(key, required, "a number");
    if (n == nullptr) {
        return std::nullopt;
    }
    const auto value = n->value_exact<std::int64_t>();
    if (!value || *value < low || *value > high) {
        wrong(key, fmt::format("a whole number from {} to {} is wanted", low, high));
        return std::nullopt;
    }
    return value;
}

std::optional<std::vector<std::int64_t>> section::numbers(std::string_view key, std::int64_t low, std::int64_t high,
                                                          std::size_t most) {
    const auto* n = take(key, false, "");
    if (n == nullptr) {
        return std::nullopt;
    }
    std::vector<std::int64_t> out;
    const auto* list = n->as_array();
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        out.push_back((*list)[i].value_exact<std::int64_t>().value_or(INT64_MIN));
    }
    const bool good = std::all_of(out.begin(), out.end(), [&](std::int64_t v) { return v >= low && v <= high; });
    if (list == nullptr || !good || out.size() > most) {
        wrong(key, fmt::format("a list of at most {} whole numbers from {} to {} is wanted", most, low, high));
        return std::nullopt;
    }
    return out;
}

std::vector<std::string> section::texts(std::string_view key, bool required, std::size_t most) {
    const auto* n = take(key, required, "a list of texts");
    const auto* list = n == nullptr ? nullptr : n->as_array();
    std::vector<std::string> out;
    bool good = list != nullptr;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const auto one = (*list)[i].value_exact<std::string>();
        good = good && one && !one->empty() && one->size() <= limits::text_bytes;
        out.push_back(one.value_or(""));
    }
    if (n != nullptr && (!good || out.size() > most)) {
        wrong(key, fmt::format("a list of at most {} texts is wanted", most));
        out.clear();
    }
    return out;
}

bool section::flag(std::string_view key, bool otherwise) {
    const auto* n = take(key, false, "");
    if (n == nullptr) {
        return otherwise;
    }
    const auto value = n->value_exact<bool>();
    if (!value) {
        wrong(key, "true or false is wanted");
    }
    return value.value_or(otherwise);
}

std::optional<std::size_t> section::choice(std::string_view key, std::initializer_list<std::string_view> words,
                                           bool required) {
    const auto value = text(key, required);
    if (!value) {
        return std::nullopt;
    }
    const auto at = std::find(words.begin(), words.end(), *value);
    if (at == words.end()) {
        wrong(key, fmt::format("\"{}\" is not one of {}", *value, fmt::join(words, ", ")));
        return std::nullopt;
    }
    return static_cast<std::size_t>(at - words.begin());
}

std::optional<section::channel_of> section::channel(std::string_view key, bool required) {
    const auto* n = take(key, required, "{ board = \"A\", channel = 1 }");
    if (n == nullptr) {
        return std::nullopt;
    }
    const auto* t = n->as_table();
    if (t != nullptr) {
        for (const auto& [inner, value] : *t) {
            if (inner.str() != "board" && inner.str() != "channel") {
                wrong(key, fmt::format("{}: no such key; here are: board, channel", inner.str()));
                return std::nullopt;
            }
        }
    }
    const auto board = t == nullptr ? std::nullopt : (*t)["board"].value_exact<std::string>();
    const auto number = t == nullptr ? std::nullopt : (*t)["channel"].value_exact<std::int64_t>();
    if (!board || !number) {
        wrong(key, "{ board = \"A\", channel = 1 } is wanted, with the channel as printed on the board");
        return std::nullopt;
    }
    if (*number < 1 || *number > limits::channels_max) {
        wrong(key, fmt::format("channel {}: channels count from 1 to {}", *number, limits::channels_max));
        return std::nullopt;
    }
    return channel_of{*board, static_cast<int>(*number)};
}

std::vector<section> section::tables(std::string_view key) {
    std::vector<section> out;
    known_.insert(std::string(key));
    const auto* n = node(key);
    if (n == nullptr) {
        return out;
    }
    const auto* array = n->as_array();
    if (array == nullptr) {
        wrong(key, fmt::format("[[{}]] tables are wanted", key));
        return out;
    }
    for (const auto& item : *array) {
        const int line = static_cast<int>(item.source().begin.line);
        if (const auto* t = item.as_table()) {
            out.emplace_back(t, std::string(key), line, errors_);
        } else {
            errors_.push_back({line, std::string(key), "a table is wanted"});
        }
    }
    return out;
}

section section::table(std::string_view key) {
    known_.insert(std::string(key));
    const auto* n = node(key);
    if (n != nullptr && !n->is_table()) {
        wrong(key, fmt::format("a table [{}] is wanted", key));
    }
    return {n == nullptr ? nullptr : n->as_table(), std::string(key), n == nullptr ? line_ : line_of(key), errors_};
}

void section::no_others() const {
    if (table_ == nullptr) {
        return;
    }
    for (const auto& [key, value] : *table_) {
        const std::string name(key.str());
        if (known_.count(name) == 0) {
            errors_.push_back({static_cast<int>(key.source().begin.line), name_.empty() ? name : name_ + "." + name,
                               fmt::format("no such key; here are: {}", fmt::join(known_, ", "))});
        }
    }
}

const toml::node* section::node(std::string_view key) const {
    return table_ == nullptr ? nullptr : table_->get(key);
}

int section::line_of(std::string_view key) const {
    const auto* n = node(key);
    return n == nullptr ? line_ : static_cast<int>(n->source().begin.line);
}

const toml::node* section::take(std::string_view key, bool required, std::string_view wanted) {
    known_.insert(std::string(key));
    const auto* n = node(key);
    if (n == nullptr && required) {
        wrong(key, fmt::format("is missing; {} is wanted", wanted));
    }
    return n;
}

std::string path_in(const std::filesystem::path& folder, const std::string& given) {
    const std::filesystem::path p(given);
    return (p.is_absolute() ? p : folder / p).string();
}

namespace {

// lockerd's unit hands on the folder keys/ beside the configuration as credentials named keys_<file> (LoadCredential=,
// systemd.exec(5)): root's files, that the daemon's own user cannot read.
std::optional<std::string> loaded_key(const std::filesystem::path& folder, const std::string& path) {
    const std::filesystem::path p(path);
    if (std::getenv("CREDENTIALS_DIRECTORY") == nullptr || p.parent_path() != folder / "keys") {
        return std::nullopt;
    }
    auto loaded = credential_file("keys_" + p.filename().string());
    return loaded && std::filesystem::exists(*loaded) ? loaded : std::nullopt;
}

}  // namespace

std::optional<std::string> key_file(section& s, std::string_view key, bool required,
                                    const std::filesystem::path& folder) {
    const auto given = s.text(key, required, 4096);
    if (!given) {
        return std::nullopt;
    }
    if (!given->starts_with(credential_prefix)) {
        const auto path = path_in(folder, *given);
        return loaded_key(folder, path).value_or(path);
    }
    const auto name = given->substr(credential_prefix.size());
    auto file = credential_file(name);
    if (!file) {
        s.wrong(key, fmt::format("\"{}\" is no credential's name: the one in LoadCredential= is wanted", name));
    }
    return file;
}

}  // namespace locker
