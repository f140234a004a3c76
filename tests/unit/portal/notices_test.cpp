#include <doctest/doctest.h>

#include <algorithm>

#include "portal/server/channels.hpp"
#include "tests/unit/portal/bench.hpp"

using namespace portal_bench;

namespace {

notice ready() {
    notice n;
    n.id = 42;
    n.recipient = "p-1";
    n.channel = "sms";
    n.template_name = "ready";
    n.parameters = {{"service", "居住证明"}, {"door", 5}};
    n.title = "可以取件";
    n.text = "您办理的“居住证明”已办好。\nDone.";
    n.created_ms = 1'800'000'000'000;
    return n;
}

}  // namespace

TEST_CASE("one notice for each person and cause, ever; in order, tried again with growing pauses") {
    bench b;
    const auto tell_one = [&](const std::string& cause, const std::string& who) {
        tell(b.desk, {cause, who, {"sms"}, "overdue", {{"door", 3}, {"place", "北门"}}, true});
    };
    tell_one("c1/1", "p1");
    tell_one("c1/1", "p1");
    tell_one("c1/1", "p2");
    tell_one("c1/2", "p1");
    CHECK(b.count("SELECT COUNT(*) FROM notices") == 3);
    const auto first = *next_notice(b.desk, "sms");
    CHECK(first.recipient == "p1");
    CHECK(first.text.find("北门 3 号柜") != std::string::npos);
    settled(b.desk, first, delivery::later);
    CHECK(next_notice(b.desk, "sms")->recipient == "p2");  // somebody else does not wait for p1's phone
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::taken);
    CHECK_FALSE(next_notice(b.desk, "sms"));  // p1's second waits behind the first
    CHECK(next_due(b.desk, "sms") <= b.now);
    b.now += 2 * second;
    CHECK(next_notice(b.desk, "sms")->id == first.id);
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::refused);
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::taken);
    CHECK(next_due(b.desk, "sms") == INT64_MAX);
    tell_one("c1/1", "p1");  // never again
    CHECK_FALSE(next_notice(b.desk, "sms"));
}

TEST_CASE("what can wait waits for the morning; what is urgent does not") {
    bench b;
    b.desk.by.quiet_from = "22:00";
    b.desk.by.quiet_to = "07:00";
    const std::int64_t midnight_utc = 1'800'000'000'000 / day * day;
    const auto local = [&](int h, int m) {
        return midnight_utc + h * hour + m * minute - b.desk.by.utc_offset_ms + day;
    };
    CHECK(after_quiet_hours(b.desk.by, local(21, 59)) == local(21, 59));
    CHECK(after_quiet_hours(b.desk.by, local(22, 0)) == local(31, 0));
    CHECK(after_quiet_hours(b.desk.by, local(3, 30)) == local(7, 0));
    CHECK(after_quiet_hours(b.desk.by, local(7, 0)) == local(7, 0));
    b.now = local(23, 0);
    tell(b.desk, {"x/1", "p1", {"sms"}, "overdue", {}, false});
    CHECK_FALSE(next_notice(b.desk, "sms"));
    tell(b.desk, {"x/2", "p1", {"sms"}, "sign_in", {{"code", "123456"}}, true});
    CHECK(next_notice(b.desk, "sms")->template_name == "sign_in");
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::taken);
    std::string content;
    b.db.sql() << "SELECT content FROM notices WHERE template = 'sign_in'", soci::into(content);
    CHECK(b.safe.open("notice", content) == "{}");  // a secret that has done its work
    b.now = local(31, 0);
    CHECK(next_notice(b.desk, "sms")->template_name == "overdue");
}

TEST_CASE("the office's words take the place of ours, with the same parameters") {
    bench b;
    tell(b.desk, {"c1/1", "p1", {"sms"}, "overdue", {{"door", 3}, {"place", "北门"}}, true});
    REQUIRE(set_notice_words(b.desk, "overdue", {"取件", "{door} 号柜等您。", "Door {door} waits."}));
    CHECK(next_notice(b.desk, "sms")->text == "3 号柜等您。\nDoor 3 waits.");
    CHECK_FALSE(set_notice_words(b.desk, "overdue", {"取件", "{code}", "x"}));
    CHECK_FALSE(set_notice_words(b.desk, "overdue", {"", "x", "x"}));
    CHECK_FALSE(set_notice_words(b.desk, "nonsense", {"x", "x", "x"}));
}

TEST_CASE("SMS as two gateways want it signed") {
    channel_settings a;
    a.kind = channel_kind::sms_aliyun;
    a.url = "https://dysmsapi.aliyuncs.com/";
    a.account = "testid";
    a.secret = "testsecret";
    a.sign_name = "云柜";
    a.templates = {{"ready", "SMS_1"}};
    const auto request = request_for(a, ready(), "+8613800138000", 1'800'000'000'000, "nonce-1");
    REQUIRE(request);
    CHECK(request->body.starts_with("Signature="));
    for (const char* part :
         {"PhoneNumbers=13800138000", "OutId=notice-42", "SignatureNonce=nonce-1", "TemplateCode=SMS_1",
          "Timestamp=2027-01-15T08%3A00%3A00Z", "SignName=%E4%BA%91%E6%9F%9C"}) {
        CHECK(request->body.find(part) != std::string::npos);
    }
    CHECK(request->body.find("testsecret") == std::string::npos);
    CHECK_FALSE(request_for(a, ready(), "", 0, "n"));
    auto untold = ready();
    untold.template_name = "counter";
    CHECK_FALSE(request_for(a, untold, "+8613800138000", 0, "n"));
    CHECK(judged(a, 200, R"({"Code":"OK"})") == delivery::taken);
    CHECK(judged(a, 200, R"({"Code":"isv.BUSINESS_LIMIT_CONTROL"})") == delivery::later);
    CHECK(judged(a, 200, R"({"Code":"isv.MOBILE_NUMBER_ILLEGAL"})") == delivery::refused);
    CHECK(judged(a, 200, R"({"Code":"isv.AMOUNT_NOT_ENOUGH"})") == delivery::later);
    CHECK(judged(a, 503, "") == delivery::later);
    CHECK(judged(a, 200, "<html>") == delivery::later);

    channel_settings v = a;
    v.kind = channel_kind::voice_aliyun;
    CHECK(request_for(v, ready(), "+8613800138000", 0, "n")->body.find("CalledNumber=13800138000") !=
          std::string::npos);
    CHECK(request_for(v, ready(), "+8613800138000", 0, "n")->body.find("TtsCode=SMS_1") != std::string::npos);
    channel_settings t = a;
    t.kind = channel_kind::sms_tencent;
    t.url = "https://sms.tencentcloudapi.com";
    t.app_id = "1400000000";
    const auto signed_one = request_for(t, ready(), "+8613800138000", 1'800'000'000'000, "");
    REQUIRE(signed_one);
    CHECK(std::any_of(signed_one->headers.begin(), signed_one->headers.end(), [](const auto& h) {
        return h.starts_with(
            "Authorization: TC3-HMAC-SHA256 Credential=testid/2027-01-15/sms/tc3_request, "
            "SignedHeaders=content-type;host, Signature=");
    }));
    CHECK(signed_one->body.find(R"("TemplateParamSet":["5","居住证明"])") != std::string::npos);
    CHECK(judged(t, 200, R"({"Response":{"SendStatusSet":[{"Code":"Ok"}]}})") == delivery::taken);
    CHECK(judged(t, 200, R"({"Response":{"SendStatusSet":[{"Code":"LimitExceeded.PhoneNumberDailyLimit"}]}})") ==
          delivery::later);
    CHECK(judged(t, 200, R"({"Response":{"Error":{"Code":"AuthFailure"}}})") == delivery::later);
}

TEST_CASE("webhooks carry an id that tells a repetition, and a signature; the robot and the mail their own form") {
    channel_settings w;
    w.url = "https://example.org/hook";
    w.secret = "s";
    const auto hook = *request_for(w, ready(), "+8613800138000", 0, "");
    CHECK(std::count(hook.headers.begin(), hook.headers.end(), "Idempotency-Key: notice-42") == 1);
    CHECK(std::count(hook.headers.begin(), hook.headers.end(),
                     "X-Signature: sha256=" + to_hex(hmac_sha256(bytes_of("s"), bytes_of(hook.body)))) == 1);
    CHECK(judged(w, 204, "") == delivery::taken);
    CHECK(judged(w, 410, "") == delivery::refused);
    CHECK(judged(w, 302, "") == delivery::later);
    CHECK(judged(w, 401, "") == delivery::later);
    CHECK(judged(w, 0, "") == delivery::later);
    w.kind = channel_kind::wecom;
    CHECK(request_for(w, ready(), "", 0, "")->body.find(R"("msgtype":"markdown")") != std::string::npos);
    CHECK(judged(w, 200, R"({"errcode":0})") == delivery::taken);
    CHECK(judged(w, 200, R"({"errcode":45009})") == delivery::later);
    CHECK(judged(w, 200, R"({"errcode":93000})") == delivery::later);
    channel_settings m;
    m.from = "locker@example.org";
    const auto mail = mail_for(m, ready(), "ops@example.org", 1'800'000'000'000);
    CHECK(mail.find("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n") != std::string::npos);
    CHECK(mail.find("Message-ID: <notice-42@example.org>\r\n") != std::string::npos);
    CHECK(mail.find("Subject: =?utf-8?B?") != std::string::npos);
}

TEST_CASE("a catalogue: from TOML, from a spreadsheet; every mistake with its line") {
    const auto good = catalogue_from_csv(
        "\xEF\xBB\xBFid,name,name_en,size,days,paper,paper_en,original\r\na,\"居住, "
        "证明\",,S,2,身份证,ID,yes\r\na,,,,,户口本,,no\r\n\r\nb,乙,B,M,,,,\r\n");
    REQUIRE(std::holds_alternative<std::string>(good));
    const auto parsed = parse_catalogue(std::get<std::string>(good));
    REQUIRE(std::holds_alternative<services>(parsed));
    const auto& list = std::get<services>(parsed);
    REQUIRE(list.size() == 2);
    CHECK(list[0].name == "居住, 证明");
    CHECK(list[0].papers.size() == 2);
    CHECK(list[0].papers[0].original);
    CHECK(list[1].size == box_size::medium);
    const auto wrong =
        catalogue_from_csv("id,name,name_en,size,days,paper,paper_en,original\na,b\nc,d,e,S,x,p,,maybe\n\"open");
    REQUIRE(std::holds_alternative<std::vector<config_error>>(wrong));
    CHECK(std::get<std::vector<config_error>>(wrong).size() == 4);
    CHECK(std::holds_alternative<std::vector<config_error>>(catalogue_from_csv("a,b\n")));
    for (const char* bad :
         {"", "x = 1", "[[service]]\nid = \"a b\"\nname = \"n\"",
          "[[service]]\nid = \"a\"\nname = \"n\"\nsize = \"XL\"",
          "[[service]]\nid = \"a\"\nname = \"n\"\n[[service]]\nid = \"a\"\nname = \"m\"", "not toml ="}) {
        CAPTURE(bad);
        CHECK(std::holds_alternative<std::vector<config_error>>(parse_catalogue(bad)));
    }
    // As Excel in China saves it: GB 18030.
    const auto chinese = catalogue_from_csv(
        "id,name,name_en,size,days,paper,paper_en,original\na,\xBE\xD3\xD7\xA1,,S,2,\xC9\xED\xB7\xDD\xD6\xA4,,"
        "\xCA\xC7\n");
    REQUIRE(std::holds_alternative<std::string>(chinese));
    CHECK(std::get<services>(parse_catalogue(std::get<std::string>(chinese)))[0].name == "居住");
    CHECK(std::holds_alternative<std::vector<config_error>>(
        catalogue_from_csv("id,name,name_en,size,days,paper,paper_en,original\na,x,,S,,p,,\na,y,,S,,q,,\n")));
    bench b;
    CHECK(*set_catalogue(b.desk, std::get<std::string>(good), "test") == 1);
    CHECK(*set_catalogue(b.desk, std::get<std::string>(good), "test") == 2);
    CHECK_FALSE(set_catalogue(b.desk, "x = 1", "test"));
}

TEST_CASE("what waited for the morning and is true no more is not sent: collected meanwhile, or no errand any more") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    auto c = b.a_case(person);
    b.to_ready(c);
    const auto due = [&](const std::string& who, const std::string& name) {
        tell(b.desk, {"x/" + name + "/" + who, who, {"sms"}, name, words_for(b.desk, c), true});
    };
    due(person, "ready");
    REQUIRE(next_notice(b.desk, "sms"));
    REQUIRE(set_delegate(b.desk, c, "+8613900139000"));
    const auto friend_ = c.delegate;
    due(friend_, "ready_delegate");
    REQUIRE(set_delegate(b.desk, c, ""));
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::taken);
    CHECK(drop_if_moot(b.desk, *next_notice(b.desk, "sms")));  // nobody's errand
    CHECK_FALSE(next_notice(b.desk, "sms"));
    due(person, "overdue");
    (void)b.event("deposit.retrieved",
                  {{"deposit", c.deposit}, {"kind", "return"}, {"compartment", 5}, {"by", "code"}});
    CHECK(drop_if_moot(b.desk, *next_notice(b.desk, "sms")));
    CHECK_FALSE(next_notice(b.desk, "sms"));
    CHECK(b.count("SELECT COUNT(*) FROM notices WHERE state = 'moot'") == 2);
    // An id is never given twice, also not when the newest notice has gone.
    const int last = b.count("SELECT MAX(id) FROM notices");
    b.db.sql() << "DELETE FROM notices";
    due(person, "trouble");
    CHECK(b.count("SELECT MAX(id) FROM notices") == last + 1);
}

TEST_CASE("a notice that no channel took is listed and can be sent again; a sign-in code is neither") {
    bench b;
    tell(b.desk, {"x/1", "p1", {"sms"}, "trouble", {{"door", 3}, {"place", "北门"}, {"what", "?"}}, true});
    tell(b.desk, {"x/2", "p1", {"sms"}, "sign_in", {{"code", "123456"}}, true});
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::refused);
    settled(b.desk, *next_notice(b.desk, "sms"), delivery::refused);
    const auto failed = failed_notices(b.desk, 10);
    REQUIRE(failed.size() == 1);
    CHECK_FALSE(send_again(b.desk, failed[0].id + 1));
    REQUIRE(send_again(b.desk, failed[0].id));
    CHECK_FALSE(send_again(b.desk, failed[0].id));
    CHECK(next_notice(b.desk, "sms")->id == failed[0].id);
}
