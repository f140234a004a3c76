#include "daemon/ctl/commission/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <stdexcept>

namespace locker {
namespace {

constexpr std::size_t lines_kept = 200;

// ECMA-48: the alternate screen, home, clear.
constexpr const char* enter_full = "\033[?1049h";
constexpr const char* leave_full = "\033[?1049l";
constexpr const char* clear = "\033[H\033[2J";

struct extent {
    std::size_t rows = 24;
    std::size_t columns = 80;
};
extent terminal() {
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    return known ? extent{size.ws_row, size.ws_col} : extent{};
}

// A line of the terminal each, however long: UTF-8, one column a character.
std::size_t rows_of(const std::string& line, std::size_t columns) {
    const auto characters = static_cast<std::size_t>(std::count_if(
        line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    return std::max<std::size_t>(1, (characters + columns - 1) / columns);
}

}  // namespace

screen::screen(bool json, bool unattended)
    : json_(json),
      full_(!json && !unattended && ::isatty(STDOUT_FILENO) != 0 && ::isatty(STDIN_FILENO) != 0),
      terminal_(!json && ::isatty(STDOUT_FILENO) != 0) {
    if (full_) {
        std::cout << enter_full;
    }
}

screen::~screen() {
    if (full_) {  // what was said stays readable afterwards
        std::cout << leave_full;
        for (const auto& line : lines_) {
            std::cout << line << "\n";
        }
        std::cout << std::flush;
    }
}

void screen::say(const std::string& what, const std::string& text, boost::json::object more) {
    if (json_) {
        boost::json::object o{{"what", what}, {"text", text}};
        for (auto& [key, value] : more) {
            o[key] = std::move(value);
        }
        std::cout << serialize(o) << std::endl;
        return;
    }
    const auto kind = more.find("kind");
    const std::string named =
        what == "finding" && kind != more.end() ? std::string(kind->value().as_string()) + ": " + text : text;
    const bool harmless = named.starts_with("crossed") || named.starts_with("unused_input");
    lines_.push_back((what == "finding" && !harmless           ? "! "
                      : what == "warning" || what == "mistake" ? "? "
                                                               : "  ") +
                     named);
    if (lines_.size() > lines_kept) {
        lines_.pop_front();
    }
    if (full_) {
        draw();
    } else {
        std::cout << (terminal_ ? "\r\033[K" : "") << lines_.back() << std::endl;
    }
}

void screen::progress(const std::string& text) {
    now_ = text;
    if (full_) {
        draw();
    } else if (terminal_) {
        std::cout << "\r\033[K" << text << std::flush;
    } else if (!json_ && text.starts_with("Shut")) {  // somebody is to do something
        std::cout << text << std::endl;
    }
}

std::string screen::ask(const std::string& question) {
    if (full_) {
        draw(question);
    } else {
        (json_ ? std::cerr : std::cout) << question << std::flush;
    }
    std::string line;
    const bool answered = static_cast<bool>(std::getline(std::cin, line));
    if (!full_ && !json_ && ::isatty(STDIN_FILENO) == 0) {
        std::cout << "\n";  // nobody's Enter ended the line
    }
    if (!answered) {
        throw std::runtime_error(
            "nobody answers. What was learnt is kept: the same command goes on; --unattended asks nothing");
    }
    const auto first = line.find_first_not_of(" \t\r");
    return first == std::string::npos ? "" : line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

void screen::mark(std::size_t board, int channel, cell what, int door) {
    cells_[board][channel] = what == cell::silent ? "○" : door > 0 ? std::to_string(door) : "●";
}

void screen::draw(const std::string& question) {
    const auto size = terminal();
    std::size_t used = 6 + rows_of(question, size.columns);
    std::cout << clear << "lockerctl commission      12 its door, ● opens   ○ nothing moved   · not yet\n\n";
    for (const auto& [board, cells] : cells_) {
        const auto called = names_.find(board);
        std::string row = "  board " + (called == names_.end() ? "" : called->second) + "  ";
        for (int c = 0; c <= cells.rbegin()->first; ++c) {
            const auto at = cells.find(c);
            row += (at == cells.end() ? "·" : at->second) + " ";
        }
        used += rows_of(row, size.columns);
        std::cout << row << "\n";
    }
    // The last lines that there is room for.
    auto first = lines_.end();
    while (first != lines_.begin() && used + rows_of(*std::prev(first), size.columns) <= size.rows) {
        used += rows_of(*--first, size.columns);
    }
    for (; first != lines_.end(); ++first) {
        std::cout << *first << "\n";
    }
    std::cout << "\n" << now_ << "\n" << question << std::flush;
}

}  // namespace locker
