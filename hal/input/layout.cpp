#include "hal/input/layout.hpp"

#include <linux/input-event-codes.h>

#include <algorithm>
#include <array>

namespace locker {
namespace {

struct key_pair {
    unsigned code;
    char plain;
    char shifted;
};

// Letters and digits where every layout but fr has them; fr's digits want a shift.
constexpr std::string_view letters_us[] = {"qwertyuiop", "asdfghjkl", "zxcvbnm"};
constexpr std::array<unsigned, 3> letter_rows{KEY_Q, KEY_A, KEY_Z};

constexpr std::array<key_pair, 21> us{
    {{KEY_1, '1', '!'},          {KEY_2, '2', '@'},          {KEY_3, '3', '#'},         {KEY_4, '4', '$'},
     {KEY_5, '5', '%'},          {KEY_6, '6', '^'},          {KEY_7, '7', '&'},         {KEY_8, '8', '*'},
     {KEY_9, '9', '('},          {KEY_0, '0', ')'},          {KEY_MINUS, '-', '_'},     {KEY_EQUAL, '=', '+'},
     {KEY_LEFTBRACE, '[', '{'},  {KEY_RIGHTBRACE, ']', '}'}, {KEY_SEMICOLON, ';', ':'}, {KEY_APOSTROPHE, '\'', '"'},
     {KEY_BACKSLASH, '\\', '|'}, {KEY_COMMA, ',', '<'},      {KEY_DOT, '.', '>'},       {KEY_SLASH, '/', '?'},
     {KEY_GRAVE, '`', '~'}}};

// What codes, staff codes and grants are made of; a scanner set to another country sends nothing else of use to us.
constexpr std::array<key_pair, 15> de{{{KEY_1, '1', '!'},
                                       {KEY_2, '2', '"'},
                                       {KEY_3, '3', 0},
                                       {KEY_4, '4', '$'},
                                       {KEY_5, '5', '%'},
                                       {KEY_6, '6', '&'},
                                       {KEY_7, '7', '/'},
                                       {KEY_8, '8', '('},
                                       {KEY_9, '9', ')'},
                                       {KEY_0, '0', '='},
                                       {KEY_SLASH, '-', '_'},
                                       {KEY_DOT, '.', ':'},
                                       {KEY_COMMA, ',', ';'},
                                       {KEY_BACKSLASH, '#', '\''},
                                       {KEY_RIGHTBRACE, '+', '*'}}};

constexpr std::array<key_pair, 15> fr{{{KEY_1, '&', '1'},
                                       {KEY_2, 0, '2'},
                                       {KEY_3, '"', '3'},
                                       {KEY_4, '\'', '4'},
                                       {KEY_5, '(', '5'},
                                       {KEY_6, '-', '6'},
                                       {KEY_7, 0, '7'},
                                       {KEY_8, '_', '8'},
                                       {KEY_9, 0, '9'},
                                       {KEY_0, 0, '0'},
                                       {KEY_M, ',', '?'},
                                       {KEY_COMMA, ';', '.'},
                                       {KEY_DOT, ':', '/'},
                                       {KEY_SEMICOLON, 'm', 'M'},
                                       {KEY_BACKSLASH, '*', 0}}};

// The same on every keyboard.
constexpr std::array<key_pair, 19> always{{{KEY_KP0, '0', '0'},
                                           {KEY_KP1, '1', '1'},
                                           {KEY_KP2, '2', '2'},
                                           {KEY_KP3, '3', '3'},
                                           {KEY_KP4, '4', '4'},
                                           {KEY_KP5, '5', '5'},
                                           {KEY_KP6, '6', '6'},
                                           {KEY_KP7, '7', '7'},
                                           {KEY_KP8, '8', '8'},
                                           {KEY_KP9, '9', '9'},
                                           {KEY_KPASTERISK, '*', '*'},
                                           {KEY_KPENTER, '\n', '\n'},
                                           {KEY_ENTER, '\n', '\n'},
                                           {KEY_BACKSPACE, '\b', '\b'},
                                           {KEY_ESC, '\b', '\b'},
                                           {KEY_DELETE, '\b', '\b'},
                                           {KEY_NUMERIC_STAR, '*', '*'},
                                           {KEY_NUMERIC_POUND, '#', '#'},
                                           {KEY_SPACE, ' ', ' '}}};

template <std::size_t N>
std::optional<char> among(const std::array<key_pair, N>& keys, unsigned code, bool shifted) {
    const auto at = std::find_if(keys.begin(), keys.end(), [&](const auto& k) { return k.code == code; });
    if (at == keys.end()) {
        return std::nullopt;
    }
    return shifted ? at->shifted : at->plain;
}

// The letter at a key; 0: none there.
char letter(unsigned code) {
    for (std::size_t row = 0; row < letter_rows.size(); ++row) {
        if (code >= letter_rows[row] && code < letter_rows[row] + letters_us[row].size()) {
            return letters_us[row][code - letter_rows[row]];
        }
    }
    return 0;
}

char moved(key_layout layout, char c) {
    constexpr std::string_view from_de = "yz";
    constexpr std::string_view to_de = "zy";
    constexpr std::string_view from_fr = "qwaz";
    constexpr std::string_view to_fr = "azqw";
    const auto from = layout == key_layout::de ? from_de : layout == key_layout::fr ? from_fr : std::string_view();
    const auto to = layout == key_layout::de ? to_de : to_fr;
    const auto at = from.find(c);
    return at == std::string_view::npos ? c : to[at];
}

}  // namespace

std::optional<key_layout> key_layout_from(std::string_view text) {
    return text == "us"   ? std::optional(key_layout::us)
           : text == "de" ? std::optional(key_layout::de)
           : text == "fr" ? std::optional(key_layout::fr)
                          : std::nullopt;
}

std::optional<char> key_map::printed(unsigned code) const {
    const bool shifted = shift_ != 0;
    if (const auto c = among(always, code, shifted)) {
        return c;
    }
    const auto own = layout_ == key_layout::us   ? among(us, code, shifted)
                     : layout_ == key_layout::de ? among(de, code, shifted)
                                                 : among(fr, code, shifted);
    if (own) {
        return *own == 0 ? std::nullopt : own;
    }
    const char c = moved(layout_, letter(code));
    if (c == 0) {
        return std::nullopt;
    }
    return shifted ? static_cast<char>(c - 'a' + 'A') : c;
}

std::optional<char> key_map::key(unsigned code, int value) {
    if (code == KEY_LEFTSHIFT || code == KEY_RIGHTSHIFT) {
        const unsigned bit = code == KEY_LEFTSHIFT ? 1U : 2U;
        shift_ = value == 0 ? shift_ & ~bit : shift_ | bit;
        return std::nullopt;
    }
    return value == 1 ? printed(code) : std::nullopt;
}

}  // namespace locker
