// What an installer sees: a picture of the boards where there is a terminal, lines elsewhere, JSON Lines for scripts.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace locker {

class screen {
public:
    enum class cell : std::uint8_t { untried, opened, silent };

    screen(bool json, bool unattended);
    ~screen();
    screen(const screen&) = delete;
    screen& operator=(const screen&) = delete;

    // Something that stays. `more`: its members for scripts, beside `what` and `text`.
    void say(const std::string& what, const std::string& text, boost::json::object more = {});
    // What goes on at this moment.
    void progress(const std::string& text);
    // The answer, without blanks around it. Throws std::runtime_error when there is nobody to answer.
    [[nodiscard]] std::string ask(const std::string& question);
    void name(std::size_t board, std::string called) { names_[board] = std::move(called); }
    // `door`: its number, once somebody has told it.
    void mark(std::size_t board, int channel, cell what, int door = 0);

private:
    void draw(const std::string& question = "");
    bool json_;
    bool full_;      // the whole terminal
    bool terminal_;  // progress is worth showing
    std::string now_;
    std::deque<std::string> lines_;
    std::map<std::size_t, std::string> names_;
    std::map<std::size_t, std::map<int, std::string>> cells_;
};

}  // namespace locker
