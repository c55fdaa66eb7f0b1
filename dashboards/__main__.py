"""Write the dashboards as JSON."""

import json
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import overview, rollout

SCHEMA_VERSION = 39
"""Of Grafana 11; what is older is migrated when it is read, which needs nothing here."""


def rendered() -> dict[str, str]:
    """Return the text of each file by its name."""
    pages = {"overview.json": overview.build(), "rollout.json": rollout.build()}
    return {name: _text(page) for name, page in pages.items()}


def _text(page: Dashboard) -> str:
    document = json.loads(JSONEncoder().encode(page))
    document["schemaVersion"] = SCHEMA_VERSION
    del document["style"]  # Grafana 10 took it out: dark or light is for the user to say
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
        for target, letter in zip(panel.get("targets", ()), ascii_uppercase, strict=False):
            target["refId"] = letter
    return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files beside this one."""
    for name, text in rendered().items():
        (Path(__file__).parent / name).write_text(text)


if __name__ == "__main__":
    main()
