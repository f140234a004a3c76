#include "portal/server/http/pages.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "protocol/json.hpp"

namespace locker::portal {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& p) {
    std::ifstream in(p, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string type_of(const fs::path& p) {
    static const std::map<std::string, std::string> types{
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
        {".json", "application/json"},         {".webmanifest", "application/manifest+json"}};
    const auto at = types.find(p.extension().string());
    return at == types.end() ? "application/octet-stream" : at->second;
}

}  // namespace

pages::pages(const std::string& folder) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
        if (!entry.is_regular_file() || entry.path().extension() == ".gz") {
            continue;
        }
        const auto name = "/" + fs::relative(entry.path(), folder).generic_string();
        const fs::path packed = entry.path().string() + ".gz";
        files_[name] = {type_of(entry.path()), content_of(entry.path()), fs::exists(packed) ? content_of(packed) : "",
                        name.starts_with("/assets/")};
    }
    if (files_.count("/index.html") == 0) {
        files_["/index.html"] = {
            "text/html; charset=utf-8",
            "<!doctype html><title>locker-portal</title><p>The pages are not built: [http] pages names a "
            "folder without index.html.\n",
            "", false};
    }
}

http_response pages::serve(const http_request& r) const {
    if (r.method != "GET") {
        return refused({405, "malformed", "不支持此方法。 That method is not for this address."});
    }
    auto at = files_.find(r.path);
    const bool asset = r.path.find('.') != std::string::npos;
    if (at == files_.end() && asset) {
        return refused({404, "unknown", "没有此地址。 There is nothing at this address."});
    }
    if (at == files_.end()) {  // an address within the pages
        at = files_.find(r.path.starts_with("/work") || r.path.starts_with("/admin") ? "/staff.html" : "/index.html");
        at = at == files_.end() ? files_.find("/index.html") : at;
    }
    http_response out;
    out.type = at->second.type;
    const bool packed = r.gzip && !at->second.gzip.empty();
    out.body = packed ? at->second.gzip : at->second.plain;
    if (packed) {
        out.headers.emplace_back("Content-Encoding", "gzip");
    }
    out.headers.emplace_back("Vary", "Accept-Encoding");
    if (const auto cabinet = std::string_view(r.path).substr(std::min<std::size_t>(3, r.path.size()));
        r.path.starts_with("/c/") && is_name(cabinet)) {  // what the page asks first, a round trip sooner
        out.headers.emplace_back("Link", "</api/cabinets/" + std::string(cabinet) +
                                             ">; rel=preload; as=fetch; crossorigin, </api/me>; rel=preload; as=fetch; "
                                             "crossorigin");
    }
    out.headers.emplace_back("Cache-Control", at->second.hashed ? "public, max-age=31536000, immutable" : "no-cache");
    return out;
}

}  // namespace locker::portal
