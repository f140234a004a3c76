#include "portal/server/qr.hpp"

#include <fmt/format.h>
#include <qrencode.h>

#include <memory>
#include <stdexcept>

namespace locker::portal {

std::string qr_svg(const std::string& text) {
    constexpr int quiet = 4;
    const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
        QRcode_encodeString(text.c_str(), 0, QR_ECLEVEL_M, QR_MODE_8, 1), QRcode_free);
    if (code == nullptr) {
        throw std::runtime_error("that text fits no QR code");
    }
    std::string path;
    for (int y = 0; y < code->width; ++y) {
        for (int x = 0; x < code->width;) {
            int run = 0;
            while (x + run < code->width && (code->data[y * code->width + x + run] & 1U) != 0) {
                ++run;
            }
            if (run > 0) {
                path += fmt::format("M{} {}h{}v1h-{}z", x + quiet, y + quiet, run, run);
            }
            x += run > 0 ? run : 1;
        }
    }
    const int side = code->width + 2 * quiet;
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" shape-rendering=\"crispEdges\"><rect "
        "width=\"{0}\" height=\"{0}\" fill=\"#fff\"/><path d=\"{1}\" fill=\"#000\"/></svg>",
        side, path);
}

}  // namespace locker::portal
