// What a scanner sends adds up to payloads: one a line. Pure: time is handed in, monotonic milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace locker {

// Frames of the GM65 family (its user manual, "serial port commands"; the last two bytes AB CD stand for "no
// checksum").
namespace gm65 {
inline constexpr std::string_view trigger{"\x7E\x00\x08\x01\x00\x02\x01\xAB\xCD", 9};
// A printed code can no longer set the scanner: zone 0x0003 = 02.
inline constexpr std::string_view settings_by_code_off{"\x7E\x00\x08\x01\x00\x03\x02\xAB\xCD", 9};
inline constexpr std::size_t acknowledgement_bytes = 7;  // 02 00 00 01 00 33 31
}  // namespace gm65

class scanner {
public:
    // `acknowledges`: it is of the GM65 family, and answers what it is told.
    explicit scanner(bool acknowledges = false) : acknowledges_(acknowledges) {}
    // A scanner sends without a pause: what stops is broken off, or no scan.
    static constexpr std::int64_t between_bytes_ms = 500;
    // The largest QR code, version 40-L, holds 4,296 letters and digits (ISO/IEC 18004).
    static constexpr std::size_t longest = 4296;

    struct scanned {
        bool whole = false;  // false: longer than any code, broken off, or not text; it was swallowed
        std::string text;
    };
    [[nodiscard]] std::vector<scanned> take(std::string_view bytes, std::int64_t now);

    [[nodiscard]] std::int64_t due() const;
    // True when a payload was given up just now.
    bool expire(std::int64_t now);
    void forget();

private:
    bool acknowledges_;
    std::string line_;
    bool spoilt_ = false;
    std::size_t frame_left_ = 0;  // of an acknowledgement
    std::int64_t last_ = 0;
};

}  // namespace locker
