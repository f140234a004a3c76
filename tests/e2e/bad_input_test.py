"""Bad input of every kind: the contract's error, no door, nothing else lost."""
import base64
import hashlib
import hmac
import json
import time
from datetime import datetime, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cabinet_kit import rfc3339, wait_for


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


class Forge:
    """Makes tokens that are wrong in one place."""

    def __init__(self, s):
        self.s = s
        jwk = json.loads((s.keys / "issuer.jwk").read_text())
        self.kid = jwk["kid"]
        self.key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(jwk["d"] + "="))
        self.count = 0

    def claims(self, **changes):
        self.count += 1
        now = int(time.time())
        all = {"aud": self.s.cabinet, "jti": f"forge-{self.count}", "iat": now, "exp": now + 60, "epoch": self.s.mqtt.epoch(),
               "act": "open", "cmp": 5, **changes}
        return {k: v for k, v in all.items() if v is not None}

    def token(self, header=None, key=None, **changes):
        head = {"alg": "EdDSA", "typ": "locker-grant+jwt", "kid": self.kid, **(header or {})}
        text = b64(head) + "." + b64(self.claims(**changes))
        return text + "." + b64((key or self.key).sign(text.encode()))


def code_of(reply):
    return reply.get("error", {}).get("code", "ok")


def test_grants(stand):
    s = stand()
    forge = Forge(s)
    now = int(time.time())
    stranger = Ed25519PrivateKey.generate()
    good = forge.token()
    unsigned = b64({"alg": "none", "typ": "locker-grant+jwt", "kid": forge.kid}) + "." + b64(forge.claims()) + "."
    hs = b64({"alg": "HS256", "typ": "locker-grant+jwt", "kid": forge.kid}) + "." + b64(forge.claims())
    hs += "." + b64(hmac.new(b"x", hs.encode(), hashlib.sha256).digest())
    cases = [
        ("not a token", "malformed"),
        (unsigned, "malformed"),
        (hs, "malformed"),
        (forge.token({"typ": "JWT"}), "malformed"),
        (forge.token(exp=now + 3600), "malformed"),
        (forge.token(act="fly"), "malformed"),
        (forge.token(iat=1.5), "malformed"),
        (forge.token({"kid": "other"}), "unknown_key"),
        (forge.token(key=stranger), "bad_signature"),
        (good[:-8] + "AAAAAAAA", "bad_signature"),
        (forge.token(aud="another"), "wrong_audience"),
        (forge.token(epoch="0000000000000000"), "stale_epoch"),
        (forge.token(epoch=None), "stale_epoch"),
        (forge.token(iat=now + 40, exp=now + 60), "not_yet_valid"),
        (forge.token(nbf=now + 40), "not_yet_valid"),
        (forge.token(iat=now - 70, exp=now - 11), "expired"),
        (forge.token(act="keys"), "malformed"),  # the document is missing
        (forge.token(act="keys", version=2, keys=[]), "not_permitted"),
        (forge.token(act="roster", version=2, staff=[]), "not_permitted"),
        (forge.token(cmp=99), "unknown_compartment"),
        (forge.token(act="collect", dep="nobody"), "unknown_deposit"),
        (forge.token(act="settle"), "wrong_state"),
    ]
    for token, wanted in cases:
        assert code_of(s.mqtt.command("open", grant=token)) == wanted, (token, wanted)
    assert code_of(s.mqtt.command("open")) == "malformed"
    # cross-channel: one with an epoch is for MQTT only
    assert s.enter(forge.token(), via="scanner")["error"]["code"] == "stale_epoch"
    assert not any(d["openings"] for d in s.ask_sim(do="status")["doors"])
    assert code_of(s.mqtt.command("open", grant=good)) == "ok"
    assert code_of(s.mqtt.command("open", grant=good)) == "replayed"
    assert sum(d["openings"] for d in s.ask_sim(do="status")["doors"]) == 1
    s.mqtt.event("credential.refused", reason="replayed")
    reasons = [e["data"]["reason"] for e in s.mqtt.events.values() if e["type"] == "locker.credential.refused"]
    for reason in ("unknown_key", "bad_signature", "wrong_audience", "stale_epoch", "expired", "replayed"):
        assert reason in reasons


def test_envelopes(stand):
    s = stand()
    l = s.mqtt
    to = f"{l.root}/reply/{l.reply_name}"
    soon = "2099-01-01T00:00:00.000Z"

    def raw(name, message, **kwargs):
        l.replies.clear()
        l.raw(name, message if isinstance(message, (str, bytes)) else json.dumps(message), **kwargs)

    def answered(name, message, **kwargs):
        raw(name, message, **kwargs)
        return code_of(l.wait(lambda: l.replies.get(message["id"]), 10, f"reply to {message}"))

    assert answered("nonsense", {"id": "a1", "expires_at": soon, "reply_to": to}) == "malformed"
    assert answered("snapshot", {"id": "a2", "reply_to": to}) == "malformed"
    assert answered("snapshot", {"id": "a3", "expires_at": 5, "reply_to": to}) == "malformed"
    assert answered("snapshot", {"id": "a4", "expires_at": rfc3339(datetime(2020, 1, 1, tzinfo=timezone.utc)), "reply_to": to}) == "expired"
    assert answered("disable", {"id": "a5", "expires_at": soon, "reply_to": to, "args": {"compartment": "1", "reason": "x"}}) == "malformed"
    assert answered("disable", {"id": "a6", "expires_at": soon, "reply_to": to, "args": []}) == "malformed"
    assert answered("confirm", {"id": "a7", "expires_at": soon, "reply_to": to, "args": {"deposit": "x" * 65}}) == "malformed"
    for payload in (b"", b"{", b"[]", b"\xff\xfe\x00", b'"text"', b"[" * 100_000, b"{" + b'"a":{' * 5000,
                    json.dumps({"id": "big", "expires_at": soon, "reply_to": to, "args": {"x": "y" * 1_000_000}}).encode()):
        raw("snapshot", payload)
    for where in ("locker/v1/other/reply/x", f"{l.root}/reply/a/b", f"{l.root}/status", "homeassistant/x"):
        raw("disable", {"id": "r1", "expires_at": soon, "reply_to": where, "args": {"compartment": 1, "reason": "x"}})
    # the daemon has read all of the above when it answers this, and did none of it
    snapshot = l.command("snapshot")["result"]
    assert all(c["use"] == "vacant" for c in snapshot["compartments"])
    assert not l.replies.get("big") and not l.replies.get("r1")
    assert s.daemon.running()


def test_retained_command(stand):
    s = stand()
    s.daemon.end()
    to = f"{s.mqtt.root}/reply/{s.mqtt.reply_name}"
    s.mqtt.raw("disable", json.dumps({"id": "old", "expires_at": "2099-01-01T00:00:00.000Z", "reply_to": to,
                                      "args": {"compartment": 1, "reason": "x"}}), retain=True)
    s.start_daemon()
    assert code_of(s.mqtt.wait(lambda: s.mqtt.replies.get("old"))) == "retained"
    assert s.mqtt.command("snapshot")["result"]["compartments"][0]["use"] == "vacant"


def test_command_published_to_be_kept_while_connected(stand):
    s = stand()
    to = f"{s.mqtt.root}/reply/{s.mqtt.reply_name}"
    s.mqtt.raw("disable", json.dumps({"id": "kept", "expires_at": "2099-01-01T00:00:00.000Z", "reply_to": to,
                                      "args": {"compartment": 1, "reason": "x"}}), retain=True)
    assert code_of(s.mqtt.wait(lambda: s.mqtt.replies.get("kept"))) == "retained"
    assert s.mqtt.state("compartment/1")["use"] == "vacant"


def test_a_flood_of_commands_does_not_keep_the_keypad_waiting(stand):
    s = stand()
    n = s.put_in("d-1")
    to = f"{s.mqtt.root}/reply/{s.mqtt.reply_name}"
    for i in range(2000):
        s.mqtt.client.publish(f"{s.mqtt.root}/command/snapshot", json.dumps(
            {"id": f"f{i}", "expires_at": "2099-01-01T00:00:00.000Z", "reply_to": to}), qos=1)
    assert s.enter(s.code("d-1"))["ok"]
    assert s.take_out("d-1", n) == "papers"
    s.mqtt.wait(lambda: all(f"f{i}" in s.mqtt.replies for i in range(2000)), 60, "an answer to each")
    assert {code_of(r) if not r["ok"] else "ok" for r in s.mqtt.replies.values()} <= {"ok", "busy"}


def test_response_topic_of_mqtt_5(stand):
    s = stand()
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = f"{s.mqtt.root}/reply/v5"
    properties.CorrelationData = b"mine"
    s.mqtt.raw("snapshot", json.dumps({"id": "v5", "expires_at": "2099-01-01T00:00:00Z"}), properties=properties)
    s.mqtt.wait(lambda: s.mqtt.replies.get("v5"))
    assert any(t.endswith("/reply/v5") for t, _, _ in s.mqtt.messages)


def test_codes(stand):
    s = stand()
    s.put_in("d-1")
    right = s.code("d-1").replace(" ", "")
    typo = right[:-1] + str((int(right[-1]) + 1) % 10)
    wrong = s.code("d-1", 30)
    for text, code in ((typo, "typo"), ("12345", "malformed"), ("12 34  56789", "malformed"), ("x" * 2000, "malformed"),
                       ("99#" + right, "unknown_compartment"), (wrong, "wrong_code")):
        assert s.enter(text)["error"]["code"] == code, text
        assert code_of(s.mqtt.command("verify", {"code": text})) in (code, "malformed"), text
    for _ in range(9):
        assert s.enter(wrong)["error"]["code"] == "wrong_code"
    assert s.enter(right)["error"]["code"] == "locked_out"
    s.mqtt.event("credential.locked_out")
    wait_for(lambda: s.mqtt.state("alarm/lockout"))
    # it survives a kill; the phone, grants and door # code go on working
    s.daemon.end()
    s.start_daemon()
    assert s.enter(right)["error"]["code"] == "locked_out"
    assert s.enter(f"1 # {right}")["ok"]
    assert not any(right in str(m) or wrong in str(m) for m in [s.daemon.text()])


def test_duplicate_ids(stand):
    s = stand()
    token = s.grant("open", compartment=3)
    first = s.mqtt.command("open", grant=token, id="same")
    assert first["ok"]
    assert s.mqtt.command("open", grant=token, id="same") == first
    assert code_of(s.mqtt.command("open", grant=s.grant("open", compartment=4), id="same")) == "malformed"
    assert s.door(3)["openings"] == 1 and s.door(4)["openings"] == 0


def test_verify_is_off_by_default(stand):
    s = stand(verify=False)
    assert code_of(s.mqtt.command("verify", {"code": "847552247"})) == "not_permitted"


def test_flood(stand):
    """Refusals are bounded in the ledger, and an honest command passes through."""
    s = stand()
    forge = Forge(s)
    token = forge.token(aud="another")
    for i in range(300):
        s.mqtt.client.publish(f"{s.mqtt.root}/command/open", json.dumps(
            {"id": f"f{i}", "expires_at": "2099-01-01T00:00:00Z", "grant": token}), qos=1)
    # until the flood has been dealt with, commands may be told to wait
    wait_for(lambda: s.open("open", compartment=1)["ok"])
    refused = [e for e in s.mqtt.events.values() if e["type"] == "locker.credential.refused"]
    assert len(refused) <= 60
