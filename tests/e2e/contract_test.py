"""The contract's own documents: each example fits its schema, each reference leads somewhere, names match the code."""
import json
import pathlib
import re

import jsonschema
import pytest
import yaml

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
    in_code = set(re.findall(r'"((?:deposit|opening|credential|staff|door|lock|compartment|board|input|clock|storage|daemon)\.[a-z_]+)"',
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
