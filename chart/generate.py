"""Renew what the chart has from elsewhere: version, schema of `config`, dashboards, rules, README's table of values."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from canary_analyzer import __version__
from canary_analyzer.service.settings import ServiceSettings

CHART = Path(__file__).parent
ABOUT = CHART / "Chart.yaml"
SCHEMA, README, VALUES = CHART / "values.schema.json", CHART / "README.md", CHART / "values.yaml"
DASHBOARDS = CHART.parent / "dashboards"
SET_BY_CHART = (("ServiceSettings", "namespaces"), ("ServiceSettings", "http"), ("ReplicaSettings", "namespace"))
"""Fields of the config that follow from other values; refused under `config`, where they would do harm."""
BEGIN, END = "<!-- values: made by `make chart` from values.yaml -->\n", "<!-- end of values -->\n"
KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]+):")

Document = dict[str, Any]


def schema(current: Document) -> Document:
    """Return the schema of the values with `config` as the service reads it; the rest stays as it is written."""
    config = ServiceSettings.model_json_schema()
    definitions = config.pop("$defs")
    for name, field in SET_BY_CHART:
        del (definitions | {config["title"]: config})[name]["properties"][field]
    properties = current["properties"] | {"config": config}
    return current | {"properties": properties, "$defs": definitions}


def described(values: str) -> dict[str, str]:
    """Return the comment above each key of values.yaml, by the key's path; a key without one is left out."""
    found: dict[str, str] = {}
    comment: list[str] = []
    path: list[str] = []
    for line in values.splitlines():
        if line.strip().startswith("#"):
            comment.append(line.strip("# "))
        elif key := KEY.match(line):
            path = [*path[: len(key["indent"]) // 2], key["name"]]
            if comment:
                found[".".join(path)] = " ".join(comment)
            comment = []
        else:
            comment = []
    return found


def leaves(values: Document, comments: dict[str, str], path: str = "") -> dict[str, Any]:
    """Return the default of each value by its path; below `config` only as a whole."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        here = f"{path}{name}"
        nested = isinstance(value, dict) and value and here not in ("config", "resources", "podSecurityContext")
        found |= leaves(value, comments, f"{here}.") if nested else {here: value}
    return found


def table() -> str:
    """Return README's table of values."""
    text = VALUES.read_text()
    comments = described(text)
    rows = ["| value | default | |", "|---|---|---|"]
    for path, default in leaves(yaml.safe_load(text), comments).items():
        parent = path.rpartition(".")[0]
        words = comments.get(path) or comments.get(parent, "")
        rows.append(f"| `{path}` | `{json.dumps(default)}` | {words} |")
    return "\n".join(rows) + "\n"


def readme(current: str) -> str:
    """Return README with its table made anew."""
    before, rest = current.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def about(current: str) -> str:
    """Return Chart.yaml with the version of the service, which is the chart's too."""
    return re.sub(r"^(version|appVersion): .*$", rf"\1: {__version__}", current, flags=re.MULTILINE)


def rendered() -> dict[Path, str]:
    """Return the text that each file should have; dashboards are copies, as a chart holds no file from outside."""
    texts = {
        ABOUT: about(ABOUT.read_text()),
        SCHEMA: json.dumps(schema(json.loads(SCHEMA.read_text())), indent=2) + "\n",
        README: readme(README.read_text()),
        CHART / "files/rules.yaml": (DASHBOARDS / "rules.yaml").read_text(),
    }
    return texts | {CHART / "files/dashboards" / page.name: page.read_text() for page in DASHBOARDS.glob("*.json")}


def main() -> None:
    """Write the files."""
    for path, text in rendered().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
