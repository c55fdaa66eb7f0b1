"""Write the dashboards as JSON."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import overview, rollout


def rendered() -> dict[str, str]:
    """Return the text of each file by its name."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    pages = {"overview.json": overview.build(), "rollout.json": rollout.build()}
    return {name: encoder.encode(page) + "\n" for name, page in pages.items()}


def main() -> None:
    """Write the files beside this one."""
    for name, text in rendered().items():
        (Path(__file__).parent / name).write_text(text)


if __name__ == "__main__":
    main()
