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

pages::pages(const std::string& folder, dashboard_settings dashboard) : dashboard_(std::move(dashboard)) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
        if (!entry.is_regular_file() || entry.path().extension() == ".gz") {
            continue;
        }
        const auto name = "/" + fs::relative(entry.path(), folder).generic_string();
        const fs::path packed = entry.path().string() + ".gz";
        files_[name] = {type_of(entry.path()), content_of(entry.path()), fs::exists(packed) ? content_of(packed) : "",
                        name.find("/assets/") != std::string::npos};
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
    if (r.path == "/ops" || r.path.starts_with("/ops/")) {
        return of_dashboard(r);
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
    http_response out = sent(at->second, r);
    if (const auto cabinet = std::string_view(r.path).substr(std::min<std::size_t>(3, r.path.size()));
        r.path.starts_with("/c/") && is_name(cabinet)) {  // what the page asks first, a round trip sooner
        out.headers.emplace_back("Link", "</api/cabinets/" + std::string(cabinet) +
                                             ">; rel=preload; as=fetch; crossorigin, </api/me>; rel=preload; as=fetch; "
                                             "crossorigin");
    }
    return out;
}

http_response pages::sent(const file& what, const http_request& r) const {
    http_response out;
    out.type = what.type;
    const bool packed = r.gzip && !what.gzip.empty();
    out.body = packed ? what.gzip : what.plain;
    if (packed) {
        out.headers.emplace_back("Content-Encoding", "gzip");
    }
    out.headers.emplace_back("Vary", "Accept-Encoding");
    out.headers.emplace_back("Cache-Control", what.hashed ? "public, max-age=31536000, immutable" : "no-cache");
    return out;
}

// The same files serve from any folder: all of their addresses are relative to it. What they load is bounded as
// elsewhere, but for the broker.
http_response pages::of_dashboard(const http_request& r) const {
    http_response out;
    if (r.path == "/ops") {
        out.status = 308;
        out.type = "text/plain";
        out.headers.emplace_back("Location", "/ops/");
        return out;
    }
    if (r.path == "/ops/ops.json") {
        out = ok(
            boost::json::object{{"broker", dashboard_.broker}, {"anonymous", dashboard_.anonymous}, {"portal", true}});
        out.headers.emplace_back("Cache-Control", "no-cache");
        return out;
    }
    const auto at = files_.find(r.path == "/ops/" ? "/ops/index.html" : r.path);
    if (at == files_.end()) {
        return refused({404, "unknown", "没有此地址。 There is nothing at this address."});
    }
    out = sent(at->second, r);
    if (r.path == "/ops/" || r.path.ends_with(".js")) {         // a worker has the policy that its own file came with
        out.headers.emplace_back("Cache-Control", "no-cache");  // … which names the broker of today
        const auto broker = dashboard_.broker.substr(0, dashboard_.broker.find('/', dashboard_.broker.find("//") + 2));
        out.headers.emplace_back("Content-Security-Policy",
                                 "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src "
                                 "'self' data:; connect-src 'self' " +
                                     (broker.empty() ? "ws://" + r.host + " wss://" + r.host : broker) +
                                     "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    }
    return out;
}

}  // namespace locker::portal
