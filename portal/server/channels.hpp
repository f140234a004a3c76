// Ways to a person: SMS and voice by an HTTP gateway (signed as two large Chinese ones want it), webhook, WeCom group
// robot, SMTP. A channel takes a notice, refuses it for good, or is to be tried again; what it was told twice it can
// tell by its key.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "portal/server/domain/notices.hpp"

namespace locker::portal {

enum class channel_kind : std::uint8_t { webhook, wecom, sms_aliyun, sms_tencent, voice_aliyun, smtp };

struct channel_settings {
    std::string name;
    channel_kind kind = channel_kind::webhook;
    std::string url;                      // https://…, http:// on loopback; smtp://host:port, smtps://
    std::string secret;                   // of the gateway's account, from a file; a webhook's for its signature
    std::string account;                  // access key id, secret id, SMTP user
    std::string sign_name;                // SMS: the approved signature
    std::string app_id;                   // sms-tencent: SdkAppId
    std::string region = "ap-guangzhou";  // sms-tencent
    std::string from;                     // smtp
    std::string to;                       // smtp: one mailbox a channel; the configuration makes one of each
    std::vector<std::pair<std::string, std::string>> templates;  // SMS: our template's name and the gateway's id
};

// One HTTP request, ready to be sent; or nothing: the channel has no template for it.
struct outgoing_http {
    std::string url;
    std::vector<std::string> headers;
    std::string body;
};
// `phone`: of the recipient, E.164; empty: it has none. `now_ms` and `nonce` go into signatures.
[[nodiscard]] std::optional<outgoing_http> request_for(const channel_settings& to, const notice& n,
                                                       const std::string& phone, std::int64_t now_ms,
                                                       const std::string& nonce);
// What the gateway's answer means. Each family says it in its body.
[[nodiscard]] delivery judged(const channel_settings& to, long status, const std::string& body);

// One e-mail, RFC 5322, UTF-8.
[[nodiscard]] std::string mail_for(const channel_settings& from, const notice& n, const std::string& to,
                                   std::int64_t now_ms);

// Sends, blocking, by libcurl: called on a thread of its own.
[[nodiscard]] delivery send(const channel_settings& to, const notice& n, const std::string& phone, std::int64_t now_ms,
                            const std::string& nonce);

}  // namespace locker::portal
