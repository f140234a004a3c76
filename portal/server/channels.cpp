#include "portal/server/channels.hpp"

#include <curl/curl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <memory>

#include "protocol/crypto.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::serialize;

constexpr long connect_within_s = 5;
constexpr long answer_within_s = 15;
constexpr std::size_t answer_bytes = 64 * 1024;

std::string base64(byte_view bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

// RFC 3986 §2.3: all but unreserved characters.
std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.' || c == '~';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

// RFC 5322 §3.3.
std::string mail_date(std::int64_t ms) {
    return fmt::format("{:%a, %d %b %Y %H:%M:%S} +0000", fmt::gmtime(static_cast<std::time_t>(ms / 1000)));
}

std::string text_of(const boost::json::value& v) {
    return v.is_string() ? std::string(v.get_string()) : serialize(v);
}

const std::string* gateway_template(const channel_settings& to, const notice& n) {
    const auto at = std::find_if(to.templates.begin(), to.templates.end(),
                                 [&](const auto& t) { return t.first == n.template_name; });
    return at == to.templates.end() ? nullptr : &at->second;
}

std::string seconds_utc(std::int64_t ms) {
    return format_time(ms).substr(0, 19) + "Z";
}

// Alibaba Cloud's RPC style, version 1.0: HMAC-SHA1 over the sorted query.
outgoing_http aliyun(const channel_settings& to, const notice& n, const std::string& phone, const std::string& id,
                     std::int64_t now_ms, const std::string& nonce) {
    object parameters;
    for (const auto& [key, value] : n.parameters) {
        parameters[key] = text_of(value);
    }
    std::map<std::string, std::string> all{{"AccessKeyId", to.account},        {"Format", "JSON"},
                                           {"OutId", n.idempotency_key()},     {"SignatureMethod", "HMAC-SHA1"},
                                           {"SignatureNonce", nonce},          {"SignatureVersion", "1.0"},
                                           {"Timestamp", seconds_utc(now_ms)}, {"Version", "2017-05-25"}};
    const std::string national = phone.starts_with("+86") ? phone.substr(3) : phone.substr(1);
    if (to.kind == channel_kind::voice_aliyun) {
        all.insert({{"Action", "SingleCallByTts"},
                    {"CalledNumber", national},
                    {"TtsCode", id},
                    {"TtsParam", serialize(parameters)}});
    } else {
        all.insert({{"Action", "SendSms"},
                    {"PhoneNumbers", national},
                    {"SignName", to.sign_name},
                    {"TemplateCode", id},
                    {"TemplateParam", serialize(parameters)}});
    }
    std::string query;
    for (const auto& [key, value] : all) {
        query += (query.empty() ? "" : "&") + percent_encoded(key) + "=" + percent_encoded(value);
    }
    const std::string to_sign = "POST&%2F&" + percent_encoded(query);
    const auto signature = base64(hmac_sha1(bytes_of(to.secret + "&"), bytes_of(to_sign)));
    return {to.url,
            {"Content-Type: application/x-www-form-urlencoded"},
            "Signature=" + percent_encoded(signature) + "&" + query};
}

// Tencent Cloud's TC3-HMAC-SHA256. Its templates count their parameters: the values go in the order of their names.
outgoing_http tencent(const channel_settings& to, const notice& n, const std::string& phone, const std::string& id,
                      std::int64_t now_ms) {
    std::map<std::string, std::string> sorted;
    for (const auto& [key, value] : n.parameters) {
        sorted[std::string(key)] = text_of(value);
    }
    array values;
    for (const auto& [key, value] : sorted) {
        values.emplace_back(value);
    }
    const std::string body = serialize(object{{"PhoneNumberSet", array{phone}},
                                              {"SmsSdkAppId", to.app_id},
                                              {"SignName", to.sign_name},
                                              {"TemplateId", id},
                                              {"TemplateParamSet", values},
                                              {"SessionContext", n.idempotency_key()}});
    const auto scheme = to.url.find("://");
    const auto rest = scheme == std::string::npos ? to.url : to.url.substr(scheme + 3);
    const std::string host = rest.substr(0, rest.find('/'));
    const std::string type = "application/json; charset=utf-8";
    const std::string signed_headers = "content-type;host";
    const std::string canonical = fmt::format("POST\n/\n\ncontent-type:{}\nhost:{}\n\n{}\n{}", type, host,
                                              signed_headers, to_hex(sha256(bytes_of(body))));
    const std::string day_utc = format_time(now_ms).substr(0, 10);
    const std::string scope = day_utc + "/sms/tc3_request";
    const std::string to_sign =
        fmt::format("TC3-HMAC-SHA256\n{}\n{}\n{}", now_ms / 1000, scope, to_hex(sha256(bytes_of(canonical))));
    const auto key_date = hmac_sha256(bytes_of("TC3" + to.secret), bytes_of(day_utc));
    const auto key_service = hmac_sha256(key_date, bytes_of("sms"));
    const auto key_signing = hmac_sha256(key_service, bytes_of("tc3_request"));
    const auto signature = to_hex(hmac_sha256(key_signing, bytes_of(to_sign)));
    return {to.url,
            {"Content-Type: " + type, "Host: " + host, "X-TC-Action: SendSms", "X-TC-Version: 2021-01-11",
             "X-TC-Region: " + to.region, fmt::format("X-TC-Timestamp: {}", now_ms / 1000),
             fmt::format("Authorization: TC3-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", to.account,
                         scope, signed_headers, signature)},
            body};
}

outgoing_http webhook(const channel_settings& to, const notice& n, const std::string& phone) {
    const std::string body = serialize(object{{"id", n.idempotency_key()},
                                              {"template", n.template_name},
                                              {"recipient", n.recipient},
                                              {"phone", phone},
                                              {"title", n.title},
                                              {"text", n.text},
                                              {"parameters", n.parameters},
                                              {"created", format_time(n.created_ms)}});
    std::vector<std::string> headers{"Content-Type: application/json; charset=utf-8",
                                     "Idempotency-Key: " + n.idempotency_key()};
    if (!to.secret.empty()) {
        headers.push_back("X-Signature: sha256=" + to_hex(hmac_sha256(bytes_of(to.secret), bytes_of(body))));
    }
    return {to.url, headers, body};
}

// WeCom's group robot.
outgoing_http wecom(const channel_settings& to, const notice& n) {
    return {to.url,
            {"Content-Type: application/json; charset=utf-8"},
            serialize(object{{"msgtype", "markdown"},
                             {"markdown", object{{"content", fmt::format("**{}**\n{}", n.title, n.text)}}}})};
}

std::size_t collect(char* data, std::size_t size, std::size_t count, void* into) {
    auto& out = *static_cast<std::string*>(into);
    const std::size_t bytes = size * count;
    out.append(data, std::min(bytes, answer_bytes - std::min(answer_bytes, out.size())));
    return bytes;
}

struct mail_source {
    std::string text;
    std::size_t at = 0;
};
std::size_t give(char* to, std::size_t size, std::size_t count, void* from) {
    auto& mail = *static_cast<mail_source*>(from);
    const std::size_t bytes = std::min(size * count, mail.text.size() - mail.at);
    std::copy_n(mail.text.data() + mail.at, bytes, to);
    mail.at += bytes;
    return bytes;
}

using curl_handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using curl_list = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

curl_list list_of(const std::vector<std::string>& lines) {
    curl_slist* out = nullptr;
    for (const auto& line : lines) {
        out = curl_slist_append(out, line.c_str());
    }
    return {out, curl_slist_free_all};
}

void set_common(CURL* c, const std::string& url) {
    curl_easy_setopt(c, CURLOPT_URL, url.c_str());
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, connect_within_s);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, answer_within_s);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
}

delivery send_mail(const channel_settings& by, const notice& n, std::int64_t now_ms) {
    const curl_handle c(curl_easy_init(), curl_easy_cleanup);
    mail_source mail{mail_for(by, n, by.to, now_ms), 0};
    const auto recipients = list_of({"<" + by.to + ">"});
    const std::string from = "<" + by.from + ">";
    set_common(c.get(), by.url);
    curl_easy_setopt(c.get(), CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(c.get(), CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(c.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c.get(), CURLOPT_READFUNCTION, give);
    curl_easy_setopt(c.get(), CURLOPT_READDATA, &mail);
    if (!by.account.empty()) {
        curl_easy_setopt(c.get(), CURLOPT_USERNAME, by.account.c_str());
        curl_easy_setopt(c.get(), CURLOPT_PASSWORD, by.secret.c_str());
        curl_easy_setopt(c.get(), CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    }
    const auto code = curl_easy_perform(c.get());
    long status = 0;
    curl_easy_getinfo(c.get(), CURLINFO_RESPONSE_CODE, &status);
    return code == CURLE_OK ? delivery::taken : status < 500 ? delivery::later : delivery::refused;
}

}  // namespace

std::optional<outgoing_http> request_for(const channel_settings& to, const notice& n, const std::string& phone,
                                         std::int64_t now_ms, const std::string& nonce) {
    const bool by_template = to.kind != channel_kind::webhook && to.kind != channel_kind::wecom;
    const auto* id = gateway_template(to, n);
    if (by_template && (phone.empty() || id == nullptr)) {
        return std::nullopt;
    }
    switch (to.kind) {
        case channel_kind::webhook:
            return webhook(to, n, phone);
        case channel_kind::wecom:
            return wecom(to, n);
        case channel_kind::sms_aliyun:
        case channel_kind::voice_aliyun:
            return aliyun(to, n, phone, *id, now_ms, nonce);
        case channel_kind::sms_tencent:
            return tencent(to, n, phone, *id, now_ms);
        case channel_kind::smtp:
            return std::nullopt;
    }
    return std::nullopt;
}

delivery judged(const channel_settings& to, long status, const std::string& body) {
    if (status >= 500 || status == 429 || status == 408 || status == 0) {
        return delivery::later;
    }
    if (status >=
        300) {  // our account, our address, our clock: somebody mends it; what the request itself lacks, nobody
        return status == 400 || status == 410 || status == 422 ? delivery::refused : delivery::later;
    }
    if (to.kind == channel_kind::webhook) {
        return delivery::taken;
    }
    boost::system::error_code error;
    const auto v = boost::json::parse(body, error);
    const auto* o = error ? nullptr : v.if_object();
    if (o == nullptr) {
        return delivery::later;
    }
    const auto word = [](const object& in, std::string_view member) {
        const auto* found = in.if_contains(member);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
    };
    if (to.kind == channel_kind::wecom) {
        const auto* code = o->if_contains("errcode");
        return code != nullptr && *code == 0 ? delivery::taken : delivery::later;
    }
    if (to.kind == channel_kind::sms_aliyun || to.kind == channel_kind::voice_aliyun) {
        const auto code = word(*o, "Code");
        // Only what is wrong with the recipient is final: an unpaid bill is mended tomorrow.
        return code == "OK"                                                                   ? delivery::taken
               : code == "isv.MOBILE_NUMBER_ILLEGAL" || code == "isv.BLACK_KEY_CONTROL_LIMIT" ? delivery::refused
                                                                                              : delivery::later;
    }
    const auto* response = o->if_contains("Response");
    const auto* inner = response != nullptr ? response->if_object() : nullptr;
    const auto* set = inner != nullptr ? inner->if_contains("SendStatusSet") : nullptr;
    if (set != nullptr && set->is_array() && !set->get_array().empty() && set->get_array().front().is_object()) {
        const auto code = word(set->get_array().front().get_object(), "Code");
        return code == "Ok" ? delivery::taken
               : code.starts_with("FailedOperation.PhoneNumberInBlacklist") ||
                       code.starts_with("InvalidParameterValue.IncorrectPhoneNumber")
                   ? delivery::refused
                   : delivery::later;
    }
    return delivery::later;
}

std::string mail_for(const channel_settings& from, const notice& n, const std::string& to, std::int64_t now_ms) {
    const std::string subject = "=?utf-8?B?" + base64(bytes_of(n.title)) + "?=";
    std::string coded = base64(bytes_of(n.text));
    for (std::size_t at = 76; at < coded.size(); at += 78) {
        coded.insert(at, "\r\n");
    }
    return fmt::format(
        "Date: {}\r\nFrom: <{}>\r\nTo: <{}>\r\nMessage-ID: <{}@{}>\r\nSubject: {}\r\nMIME-Version: "
        "1.0\r\nContent-Type: "
        "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        mail_date(now_ms), from.from, to, n.idempotency_key(), from.from.substr(from.from.find('@') + 1), subject,
        coded);
}

delivery send(const channel_settings& to, const notice& n, const std::string& phone, std::int64_t now_ms,
              const std::string& nonce) {
    if (to.kind == channel_kind::smtp) {
        return send_mail(to, n, now_ms);
    }
    const auto request = request_for(to, n, phone, now_ms, nonce);
    if (!request) {
        return delivery::unfit;
    }
    const curl_handle c(curl_easy_init(), curl_easy_cleanup);
    const auto headers = list_of(request->headers);
    std::string answer;
    set_common(c.get(), request->url);
    curl_easy_setopt(c.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(c.get(), CURLOPT_POSTFIELDS, request->body.c_str());
    curl_easy_setopt(c.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(request->body.size()));
    curl_easy_setopt(c.get(), CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(c.get(), CURLOPT_WRITEDATA, &answer);
    const auto code = curl_easy_perform(c.get());
    long status = 0;
    curl_easy_getinfo(c.get(), CURLINFO_RESPONSE_CODE, &status);
    return code == CURLE_OK ? judged(to, status, answer) : delivery::later;
}

}  // namespace locker::portal
