import json
import pathlib
import re
import sys

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import cabinet_kit  # noqa: E402

SCHEMAS = {p.stem.removesuffix(".schema"): json.loads(p.read_text()) for p in (ROOT / "protocol" / "schemas").glob("*.json")}


def schema_of(topic):
    """The schema of a message by its topic below the cabinet's root; none for commands, which tests send wrong on purpose."""
    kind = topic.split("/", 3)[3].split("/")[0]
    return None if kind == "command" else SCHEMAS[kind]


def check_messages(listener):
    for topic, payload, _ in listener.messages:
        schema = schema_of(topic)
        if schema is not None and payload:
            jsonschema.validate(json.loads(payload), schema)


@pytest.fixture
def stand(request):
    """A stand by its parameters; at the end every message that was seen is held against its schema, the chain verified."""
    made = []

    def make(**options):
        s = cabinet_kit.Stand(**options)
        made.append(s)
        return s

    yield make
    try:
        for s in made:
            if s.mqtt:
                check_messages(s.mqtt)
            if s.daemon and s.daemon.running():
                verified = json.loads(s.ctl("--json", "log", "verify"))
                assert verified["ok"], verified
                assert s.daemon.end() == 0, s.daemon.text()[-3000:]
            text = s.daemon.text() if s.daemon else ""
            assert "Sanitizer" not in text and "runtime error" not in text, text[-5000:]
    finally:
        for s in made:
            s.close()


@pytest.fixture
def portal():
    """A portal beside a stand; at the end it has logged no failure and no secret."""
    import portal_kit
    portal_kit.Browser.checked = staticmethod(check_answer)
    made = []

    def make(stand, **options):
        p = portal_kit.Portal(stand, **options)
        made.append(p)
        return p

    yield make
    for p in made:
        p.end()
        text = (p.folder / "portal.log").read_text()
        assert "ledger_differs" not in text or getattr(p, "other_ledger", False), text[-5000:]
        assert "request_failed" not in text and "Sanitizer" not in text and "runtime error" not in text, text[-5000:]


OPENAPI = yaml.safe_load((ROOT / "portal" / "openapi.yaml").read_text())


def operation(method, path):
    """The OpenAPI operation of a request; fixed paths before those with a name in them."""
    found = [p for p in OPENAPI["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[A-Za-z0-9_-]+", p), path.split("?")[0])]
    return OPENAPI["paths"][min(found, key=lambda p: p.count("{"))].get(method.lower()) if found else None


def check_answer(method, path, status, text):
    """What the portal answered is what its document says."""
    if not path.startswith("/api/"):
        return
    op = operation(method, path)
    response = op and (op["responses"].get(str(status)) or op["responses"]["default"])
    content = (response or {}).get("content", {}).get("application/json", {}).get("schema", {"$ref": "#/components/schemas/Error"})
    jsonschema.Draft202012Validator({**content, "components": OPENAPI["components"]}).validate(json.loads(text))
