"""Renew what the pages have from the code: annotations, config, metrics, Events, commands, alerts, JSON Schemas.

A page holds `<!-- generated: NAME -->` and `<!-- end -->`; what stands between is made anew. `make docs` runs this.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import typer
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from typer.main import get_command

from canary_analyzer.cli import app as commands
from canary_analyzer.cli import schemas
from canary_analyzer.cluster import events
from canary_analyzer.rollout import annotations, causes, phases
from canary_analyzer.service.reconcile import TROUBLED
from canary_analyzer.service.reload import ConfigFile, Reloader
from canary_analyzer.service.settings import ServiceSettings
from canary_analyzer.service.telemetry import Telemetry

DOCS = Path(__file__).parent
RULES = DOCS.parent / "dashboards/rules.yaml"
PART = re.compile(r"(?P<begin><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
POLICY, CONFIG = "RolloutPolicy", "ServiceSettings"
SHORT = 250
"""Characters of a default that a table shows; only the built-in profiles are longer."""

Schema = dict[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"


def documented(module: ModuleType, within: str = "") -> dict[str, str]:
    """Return the docstring below each name that a module, or one of its classes, gives a value."""
    body: list[ast.stmt] = ast.parse(inspect.getsource(module)).body
    if within:
        body = next(each.body for each in body if isinstance(each, ast.ClassDef) and each.name == within)
    found = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def annotation_table() -> str:
    """Return what may be written on a Deployment."""
    said = documented(annotations)
    names = {name: getattr(annotations, name) for name in said if str(getattr(annotations, name)) in annotations.KNOWN}
    return table(("annotation", "meaning"), ((f"`{key}`", said[name]) for name, key in names.items()))


def phase_table() -> str:
    """Return the phases of a run."""
    said = documented(phases, "Phase")
    return table(("phase", "meaning"), ((phases.Phase[name].value, text) for name, text in said.items()))


def cause_table() -> str:
    """Return why runs are sent back."""
    said = documented(causes, "Cause")
    return table(("cause", "meaning"), ((f"`{each.value}`", said[each.name]) for each in causes.Cause))


def event_table() -> str:
    """Return the Events that are written about a Deployment."""
    said, told = documented(phases, "Phase"), documented(events)
    reached = [
        phase for phase in phases.Phase if phase in phases.TRANSITIONS.values() and phase != phases.Phase.REFUSED
    ]
    rows = [
        (f"`{events.RUN}{phase}`", "Warning" if phase in TROUBLED else "Normal", said[phase.name]) for phase in reached
    ]
    rows += [(f"`{getattr(events, name)}`", "Warning", told[name]) for name in ("REFUSED", "IGNORED")]
    return table(("reason", "type", "when the run is, or comes to be, in this phase"), rows)


def metric_table() -> str:
    """Return the metrics of the service."""
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    Reloader(ConfigFile(path=Path()), ServiceSettings(), lambda _: None, registry, lambda: None)
    telemetry.health.requested("get", 200)
    telemetry.health.notified("releases", "ok")
    own = [each for each in registry.collect() if each.name.startswith("canary_analyzer")]
    return table(("metric", "type", "labels", "meaning"), map(_metric_row, sorted(own, key=lambda family: family.name)))


def _metric_row(family: Metric) -> tuple[str, str, str, str]:
    # A family without a run has no samples to show its labels by.
    labels = getattr(family, "_labelnames", ()) or {name: None for each in family.samples for name in each.labels}
    name = f"{family.name}_total" if family.type == "counter" else family.name
    shown = ", ".join(f"`{label}`" for label in labels if label != "le")
    return f"`{name}`", family.type, shown, family.documentation


def alert_table() -> str:
    """Return the alerts of dashboards/rules.yaml."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    rows = (
        (f"[{rule['alert']}](#{rule['alert'].lower()})", rule["labels"]["severity"], rule.get("for", "at once"))
        for rule in rules
    )
    return table(("alert", "severity", "after"), rows)


def config_tables() -> str:
    """Return the fields of the config file, the policy's left out."""
    schema = schemas.config_schema()
    parts = {name: part for name, part in schema["$defs"].items() if name not in _reached(schema["$defs"], POLICY)}
    return _tables({CONFIG: schema, **parts}, links={POLICY: "policy.md"})


def policy_tables() -> str:
    """Return the fields of a policy."""
    schema = schemas.annotation_schema()
    return _tables({POLICY: schema, **schema["$defs"]}, links={})


def _reached(kinds: Mapping[str, Schema], name: str) -> set[str]:
    """Return the kinds that one refers to, itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += re.findall(r'"#/\$defs/(\w+)"', json.dumps(kinds[each]))
    return found


def _tables(kinds: Mapping[str, Schema], links: Mapping[str, str]) -> str:
    """Return a section for each kind, the whole first."""
    order = [next(iter(kinds)), *sorted(list(kinds)[1:])]
    links = {**{name: f"#{name.lower()}" for name in kinds}, **links}
    for about in (about for kind in kinds.values() for about in kind.get("properties", {}).values()):
        if "$ref" in about:
            meant = kinds.get(about["$ref"].rpartition("/")[2], {}).get("description", "")
            about.setdefault("description", " ".join(meant.partition("\n\n")[0].split()))
    return "\n".join(_section(name, kinds[name], links) for name in order)


def _section(name: str, kind: Schema, links: Mapping[str, str]) -> str:
    parts = [f"## {name}\n"]
    if text := kind.get("description", ""):
        parts.append(" ".join(text.split()) + "\n")
    if "enum" in kind:
        parts.append("One of " + ", ".join(f"`{value}`" for value in kind["enum"]) + ".\n")
    required = kind.get("required", [])
    rows = [_field(field, about, field in required, links) for field, about in kind.get("properties", {}).items()]
    if rows:
        parts.append(table(("field", "type", "default", "meaning"), rows))
    return "\n".join(parts)


def _field(name: str, about: Schema, required: bool, links: Mapping[str, str]) -> tuple[str, str, str, str]:
    default = json.dumps(about["default"]) if "default" in about else ""
    if isinstance(about.get("default"), dict) and about["default"] and "$ref" in about:
        default = "its fields' own"
    elif default:
        default = f"`{default}`" if len(default) <= SHORT else "the built-in ones"
    return f"`{name}`", _type(about, links), "required" if required else default, about.get("description", "")


def _type(about: Schema, links: Mapping[str, str]) -> str:  # noqa: PLR0911  (one for each form)
    """Return a type in words, its limits included."""
    match about:
        case {"$ref": reference}:
            kind = reference.rpartition("/")[2]
            return f"[{kind}]({links[kind]})"
        case {"anyOf": choices} | {"oneOf": choices}:
            return " or ".join(_type(each, links) for each in choices)
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"items": item}:
            return f"list of {_type(item, links)}"
        case {"prefixItems": items}:
            return f"list of {len(items)}: {', '.join(_type(each, links) for each in items)}"
        case {"additionalProperties": dict(values)}:
            return f"mapping to {_type(values, links)}"
    return " ".join([_NAMES[about["type"]], *_limits(about)])


_NAMES = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "mapping",
    "string": "text",
}
_SIGNS = {"exclusiveMinimum": ">", "minimum": "≥", "maximum": "≤", "exclusiveMaximum": "<"}


def _limits(about: Schema) -> Iterator[str]:
    yield from (f"{sign} {about[name]:g}" for name, sign in _SIGNS.items() if name in about)


def command_sections() -> str:
    """Return every command with its usage, options and examples."""
    return "\n".join(_commands(get_command(commands.app), "canary-analyzer"))


def _commands(command: Any, path: str) -> Iterator[str]:
    """Yield a section for a command, or for each of a group."""
    if hasattr(command, "commands"):
        for name, each in sorted(command.commands.items()):
            yield from _commands(each, f"{path} {name}")
        return
    usage = " ".join([path, *command.collect_usage_pieces(typer.Context(command, info_name=path))])
    yield f"### {path}\n"
    # What follows \b is laid out by hand: examples, which are given below.
    yield inspect.cleandoc(command.help or "").partition("\b")[0].strip() + "\n"
    yield f"```text\n{usage.replace('{', '').replace('}', '')}\n```\n"
    if rows := [_option(each) for each in command.params if getattr(each, "rich_help_panel", "") != "Cluster"]:
        yield table(("option", "default", "meaning"), rows)
    examples = (command.epilog or "").removeprefix("Examples:").split("\n\n")
    yield "```sh\n" + "\n".join(filter(None, examples)) + "\n```\n"


def _option(parameter: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    known = parameter.default not in (None, False, (), []) or parameter.default == 0
    default = f"`{parameter.default}`" if known and parameter.default is not False else ""
    return names, "required" if parameter.required else default, parameter.help or ""


PARTS = {
    "annotations": annotation_table,
    "phases": phase_table,
    "causes": cause_table,
    "events": event_table,
    "metrics": metric_table,
    "alerts": alert_table,
    "config": config_tables,
    "policy": policy_tables,
    "commands": command_sections,
}
"""What a page may ask for."""


def renewed(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return PART.sub(lambda part: f"{part['begin']}\n{PARTS[part['name']]()}\n{part['end']}", text)


def rendered() -> dict[Path, str]:
    """Return the text that each file should have."""
    pages = {page: page.read_text() for page in sorted(DOCS.rglob("*.md"))}
    written = {
        DOCS / "reference/config.schema.json": json.dumps(schemas.config_schema(), indent=2) + "\n",
        DOCS / "reference/policy.schema.json": json.dumps(schemas.annotation_schema(), indent=2) + "\n",
    }
    return {page: renewed(text) for page, text in pages.items() if PART.search(text)} | written


def main() -> None:
    """Write the files."""
    for path, text in rendered().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
