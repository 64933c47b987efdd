"""Generate what follows from the schemas: wire models, the topic registry, the AsyncAPI document.

Run `python schemas/generate.py` after editing anything under `schemas/`, and commit what it made;
`python schemas/generate.py --check` exits 1 and names the files that have drifted.

Inputs: `schemas/events/*.schema.json`, `schemas/topics/*.yaml`, `schemas/examples/*.json`, `schemas/screens.yaml`.
Outputs: `services/contracts/records.py`, `services/contracts/topics.py`, `schemas/asyncapi.yaml`,
`schemas/screens.asyncapi.yaml`.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
EVENTS = ROOT / "schemas" / "events"
TOPICS = ROOT / "schemas" / "topics"
EXAMPLES = ROOT / "schemas" / "examples"
BANNER = "generated from schemas/ by schemas/generate.py; edit the schemas, not this file"
SCREENS = ROOT / "schemas" / "screens.yaml"
TOPIC_FIELDS = {
    "name", "record", "purpose", "key", "producers", "consumers", "partitions", "cleanup_policy",
    "retention_ms", "compatibility", "personal_data",
}  # fmt: skip


def load_schemas() -> dict[str, dict[str, Any]]:
    """Every record schema by its file stem, such as `utterance`."""
    return {
        p.name.removesuffix(".schema.json"): json.loads(p.read_text()) for p in sorted(EVENTS.glob("*.schema.json"))
    }


def load_topics() -> list[dict[str, Any]]:
    """Every topic's description, checked for missing fields."""
    topics = [yaml.safe_load(p.read_text()) for p in sorted(TOPICS.glob("*.yaml"))]
    for topic in topics:
        if missing := TOPIC_FIELDS - topic.keys():
            sys.exit(f"schemas/topics/{topic.get('name')}: missing {', '.join(sorted(missing))}")
    return topics


def render_records(schemas: dict[str, dict[str, Any]]) -> str:
    """One module with a frozen msgspec struct for each record and each of its parts.

    Written here because the schemas use a small, closed part of JSON Schema, and the general generators
    type every optional field as possibly unset, which readers would then have to rule out one by one.
    """
    definitions: dict[str, Any] = {}
    for schema in schemas.values():
        body = {k: v for k, v in schema.items() if k not in {"$schema", "$defs"}}
        for name, part in {**schema.get("$defs", {}), schema["title"]: body}.items():
            if definitions.setdefault(name, part) != part:
                sys.exit(f"schemas/events: two different definitions of {name}")
    lines = [
        f'"""Wire models: one frozen struct a record; {BANNER}."""', "", "from __future__ import annotations", "",
        "from datetime import datetime", "from typing import Annotated, Literal", "", "from msgspec import Meta, Struct, field", "",
    ]  # fmt: skip
    for name in sorted(definitions):
        part = definitions[name]
        lines += [
            "",
            f"class {name}(Struct, frozen=True, kw_only=True):",
            f'    """{part["description"]}"""',
            "",
        ]
        for wire_name, spec in part["properties"].items():
            attribute = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", wire_name).lower()
            attribute += "_" if keyword.iskeyword(attribute) else ""
            default = render_default(spec, wire_name if attribute != wire_name else None, wire_name in part["required"])
            lines.append(f"    {attribute}: {render_type(spec)}{default}")
            if spec.get("description"):
                lines.append(f'    """{spec["description"]}"""')
        lines.append("")
    return ruff("\n".join(lines) + "\n")


def render_type(spec: dict[str, Any]) -> str:
    """The Python type of a property; raises SystemExit on what this project's schemas do not use."""
    if "$ref" in spec:
        return str(spec["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in spec:
        return " | ".join("None" if s == {"type": "null"} else render_type(s) for s in spec["anyOf"])
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    if "enum" in spec:
        rendered = f"Literal[{', '.join(json.dumps(v) for v in spec['enum'])}]"
    elif kinds[0] == "array":
        rendered = f"tuple[{render_type(spec['items'])}, ...]"
    elif spec.get("format") == "date-time":
        rendered = "datetime"
    elif kinds[0] in {"string", "integer", "number", "boolean"}:
        rendered = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[kinds[0]]
    else:
        sys.exit(f"schemas/events: the generator has no type for {spec}")
    limits = {"minimum": "ge", "maximum": "le", "minLength": "min_length", "minItems": "min_length"}
    meta = [f"{limits[k]}={spec[k]}" for k in limits if k in spec]
    if rendered == "datetime":
        meta.append("tz=True")
    if meta:
        rendered = f"Annotated[{rendered}, Meta({', '.join(meta)})]"
    return rendered + (" | None" if "null" in kinds else "")


def render_default(spec: dict[str, Any], wire_name: str | None, required: bool) -> str:
    """What follows the type: nothing when required, the default, or a field with its name on the wire."""
    default = spec.get("default")
    value = "()" if isinstance(default, list) else repr(default)
    if wire_name is not None:
        return f' = field(name="{wire_name}")' if required else f' = field(default={value}, name="{wire_name}")'
    return "" if required else f" = {value}"


def ruff(text: str) -> str:
    """Format as `make check` would."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--stdin-filename",
        str(ROOT / "services/contracts/x.py"),
        "-",
    ]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def class_name(schemas: dict[str, dict[str, Any]], topic: dict[str, Any]) -> str:
    """The struct's name for a topic's record."""
    return str(schemas[topic["record"]]["title"])


def render_topics(schemas: dict[str, dict[str, Any]], topics: list[dict[str, Any]]) -> str:
    """The registry: name, record type and creation settings of each topic."""
    lines = [
        f'"""The topics and what travels on them; {BANNER}."""', "", "from __future__ import annotations", "",
        "from dataclasses import dataclass", "from typing import Any, Generic, Literal, TypeVar", "",
        "import msgspec", "", "from services.contracts import records", "",
        'RecordT = TypeVar("RecordT", bound=msgspec.Struct)', "", "",
        "@dataclass(frozen=True, slots=True, kw_only=True)", "class Topic(Generic[RecordT]):",
        '    """A topic: its name without the deployment\'s prefix, its record type and how to create it."""', "",
        "    name: str", "    record: type[RecordT]", '    key: Literal["call_id", "extension_id", "device_id"]',
        "    partitions: int", '    cleanup_policy: Literal["delete", "compact"]', "    retention_ms: int | None",
        "    value_is_bytes: bool", "    producers: tuple[str, ...]", "    consumers: tuple[str, ...]", "    personal_data: tuple[str, ...]", "", "",
    ]  # fmt: skip
    constants = []
    for topic in topics:
        record = class_name(schemas, topic)
        constant = topic["name"].rsplit(".v", 1)[0].replace(".", "_").upper()
        constants.append(constant)
        lines += [
            f"{constant}: Topic[records.{record}] = Topic(", f'    name="{topic["name"]}",', f"    record=records.{record},",
            f'    key="{topic["key"]}",', f"    partitions={topic['partitions']},", f'    cleanup_policy="{topic["cleanup_policy"]}",',
            f"    retention_ms={topic['retention_ms']},", f"    value_is_bytes={topic.get('value') == 'bytes'},",
            f"    producers={tuple(topic['producers'])!r},", f"    consumers={tuple(topic['consumers'])!r},",
            f"    personal_data={tuple(topic['personal_data'])!r},", ")",
        ]  # fmt: skip
    lines += ["", "ALL: tuple[Topic[Any], ...] = (", *[f"    {c}," for c in constants], ")"]
    return ruff("\n".join(lines) + "\n")


def render_asyncapi(schemas: dict[str, dict[str, Any]], topics: list[dict[str, Any]]) -> str:
    """An AsyncAPI 3 document of the channels, who sends and who receives."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    components: dict[str, Any] = {}
    for stem, schema in schemas.items():
        title = schema["title"]
        components |= component_schemas(schema)
        example = json.loads((EXAMPLES / f"{stem}.json").read_text())
        message: dict[str, Any] = {
            "name": title,
            "title": title,
            "summary": schema["description"],
            "contentType": "application/json",
        }
        if any(t["record"] == stem and t.get("value") == "bytes" for t in topics):
            message |= {
                "contentType": "application/octet-stream",
                "headers": {"$ref": f"#/components/schemas/{title}"},
                "payload": {"type": "string", "format": "binary", "description": "The audio."},
                "examples": [{"name": "example", "headers": example, "payload": ""}],
            }
        else:
            message |= {
                "payload": {"$ref": f"#/components/schemas/{title}"},
                "examples": [{"name": "example", "payload": example}],
            }
        messages[title] = message
    for topic in topics:
        name, title = topic["name"], class_name(schemas, topic)
        channels[name] = {
            "address": f"earshot.{name}",
            "description": topic["purpose"],
            "messages": {title: {"$ref": f"#/components/messages/{title}"}},
            "bindings": {
                "kafka": {
                    "topic": f"earshot.{name}",
                    "partitions": topic["partitions"],
                    "topicConfiguration": {"cleanup.policy": [topic["cleanup_policy"]]}
                    | ({"retention.ms": topic["retention_ms"]} if topic["retention_ms"] else {}),
                    "bindingVersion": "0.5.0",
                }
            },
        }
        sides: tuple[tuple[str, str], ...] = (("send", "producers"), ("receive", "consumers"))
        for action, side in sides:
            for service in topic[side]:
                operations[f"{service}.{action}.{name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "messages": [{"$ref": f"#/channels/{name}/messages/{title}"}],
                    "summary": f"{service} {'writes' if action == 'send' else 'reads'} {name}",
                }
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Earshot",
            "version": "1.0.0",
            "description": "The topics on which Earshot's services meet. Values are JSON unless a message says otherwise; "
            "each record carries CloudEvents attributes in ce_ headers. What could not be read goes to <topic>.dlq.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components},
    }
    return f"# {BANNER}\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def component_schemas(schema: dict[str, Any]) -> dict[str, Any]:
    """A record's schema and those of its parts, as an AsyncAPI document refers to them."""
    body = {k: v for k, v in schema.items() if k not in {"$schema", "$defs"}}
    parts = {schema["title"]: body, **schema.get("$defs", {})}
    moved: dict[str, Any] = json.loads(json.dumps(parts).replace("#/$defs/", "#/components/schemas/"))
    return moved


def render_screens(schemas: dict[str, dict[str, Any]]) -> str:
    """The AsyncAPI 3 document of the WebSocket: the written one with the records that it refers to."""
    document = yaml.safe_load(SCREENS.read_text())
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    for schema in schemas.values():
        if schema["title"] in named:
            document["components"]["schemas"] |= component_schemas(schema)
    return f"# {BANNER}\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def main() -> int:
    """Write the outputs, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when an output has drifted")
    check = parser.parse_args().check
    schemas, topics = load_schemas(), load_topics()
    outputs = {
        ROOT / "services/contracts/records.py": render_records(schemas),
        ROOT / "services/contracts/topics.py": render_topics(schemas, topics),
        ROOT / "schemas/asyncapi.yaml": render_asyncapi(schemas, topics),
        ROOT / "schemas/screens.asyncapi.yaml": render_screens(schemas),
    }
    drifted = [path for path, text in outputs.items() if not path.exists() or path.read_text() != text]
    for path in drifted:
        if check:
            print(f"drifted: {path.relative_to(ROOT)} (run `make generate` and commit)")
        else:
            path.write_text(outputs[path])
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main())
