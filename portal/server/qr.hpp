// QR codes (ISO/IEC 18004) as SVG, by libqrencode.
#pragma once

#include <string>

namespace locker::portal {

// Dark modules on white with the quiet zone of four; throws std::runtime_error when the text is too long for any.
[[nodiscard]] std::string qr_svg(const std::string& text);

}  // namespace locker::portal
