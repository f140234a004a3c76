"""The contract's own documents: each example fits its schema, each reference leads somewhere, names match the code."""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cabinet_kit import BIN, ROOT

PROTOCOL = pathlib.Path(__file__).resolve().parent.parent.parent / "protocol"
SCHEMAS = {p.name: json.loads(p.read_text()) for p in (PROTOCOL / "schemas").glob("*.json")}
EXAMPLES = sorted((PROTOCOL / "examples").glob("*.json"))
STORE = {s["$id"]: s for s in SCHEMAS.values()}


def validator(name):
    schema = SCHEMAS[name]
    return jsonschema.Draft202012Validator(schema, resolver=jsonschema.RefResolver(schema["$id"], schema, store=STORE))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path):
    kind, variant = path.stem.split(".", 1)
    name = f"command.{variant}.schema.json" if kind == "command" else f"{kind}.schema.json"
    validator(name).validate(json.loads(path.read_text()))


def test_schemas_are_schemas_and_refuse():
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for name in ("status", "event", "reply", "compartment"):
        assert not validator(f"{name}.schema.json").is_valid({})
    event = json.loads((PROTOCOL / "examples" / "event.deposit.moved.json").read_text())
    del event["data"]["from"]
    assert not validator("event.schema.json").is_valid(event)


def test_an_example_of_every_event_and_error():
    events = {e.removeprefix("locker.") for e in SCHEMAS["event.schema.json"]["properties"]["type"]["enum"]}
    assert events == {p.stem.removeprefix("event.") for p in EXAMPLES if p.stem.startswith("event.")}
    in_code = set(re.findall(r'"((?:deposit|opening|credential|staff|door|lock|compartment|board|cabinet|input|ledger|clock|storage|daemon)\.[a-z_]+)"',
                             (PROTOCOL / "event.cpp").read_text()))
    assert events == in_code
    errors = set(SCHEMAS["reply.schema.json"]["oneOf"][1]["properties"]["error"]["properties"]["code"]["enum"])
    assert errors == set(re.findall(r'^    \{"([a-z_]+)",\s+\{"', (PROTOCOL / "error.cpp").read_text(), re.M))


def test_asyncapi_references():
    document = yaml.safe_load((PROTOCOL / "asyncapi.yaml").read_text())
    assert document["asyncapi"] == "3.0.0"

    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    yield value
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    for ref in walk(document):
        if ref.startswith("#/"):
            at = document
            for part in ref[2:].split("/"):
                at = at[part]
        else:
            assert (PROTOCOL / ref).exists(), ref
    for channel in document["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])


def codes_document():
    return (PROTOCOL / "CODES.md").read_text()


def test_code_vectors_of_the_document(tmp_path):
    """The document's codes, by lockerctl, by OATH Toolkit and by the standard library."""
    text = codes_document()
    key = re.search(r"Cabinet key `([0-9a-f]{64})`", text)[1]
    file = tmp_path / "cabinet.key"
    file.write_text(key)
    file.chmod(0o600)
    derived = hmac.new(bytes.fromhex(key), b"locker/pickup/v1\x00return-1", hashlib.sha256).hexdigest()
    assert derived == re.search(r"\| deposit key \| `([0-9a-f]{64})`", text)[1]
    issues = dict(re.findall(r"\| issue (\d) \| `(\d{9})`", text))
    assert len(issues) == 3
    for issue, code in issues.items():
        oath = subprocess.run(["oathtool", "--hotp", "-d", "8", "-c", issue, derived], capture_output=True, text=True, check=True)
        assert oath.stdout.strip() == code[:8]
        ours = subprocess.run([BIN / "lockerctl", "mint", "code", "--key", file, "--deposit", "return-1", "--issue", issue],
                              capture_output=True, text=True, check=True)
        assert ours.stdout.strip().replace(" ", "") == code


def test_the_documents_shell_recipe():
    """openssl and oathtool alone, as CODES.md says."""
    text = codes_document()
    recipe = re.search(r"```sh\n(DK=.*?)```", text, re.S)[1]
    key = re.search(r"Cabinet key `([0-9a-f]{64})`", text)[1]
    done = subprocess.run(["bash", "-c", recipe], env={**os.environ, "K": key}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == re.search(r"\| issue 0 \| `(\d{8})\d`", text)[1]


def test_grant_vector_of_the_document():
    text = codes_document()
    token = re.search(r"```\n(eyJ\S+)\n```", text)[1]
    x = json.loads(re.search(r'```json\n(\{"version".*?)```', text, re.S)[1])["keys"][0]["x"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "="))
    claims = jwt.decode(token, public, algorithms=["EdDSA"], audience="demo-1", options={"verify_exp": False, "verify_iat": False})
    assert claims == json.loads(re.search(r'`(\{"aud".*?\})`', text)[1])


def test_the_portals_document_names_every_route():
    routes = set()
    for file in (ROOT / "portal" / "server").glob("api_*.cpp"):
        for method, path in re.findall(r'on\("(GET|POST)", "(/[^"]+)"', file.read_text()):
            routes.add((method.lower(), re.sub(r"\{\w+\}", "{}", path)))
    paths = yaml.safe_load((ROOT / "portal" / "openapi.yaml").read_text())["paths"]
    said = {(method, re.sub(r"\{\w+\}", "{}", path)) for path, item in paths.items() for method in item if method in ("get", "post")}
    assert routes == said and len(routes) > 30
