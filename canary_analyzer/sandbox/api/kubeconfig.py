"""The file by which clients find the server."""

from __future__ import annotations

from pathlib import Path

import yaml

_NAME = "sandbox"


def write(path: Path, url: str, token: str) -> None:
    """Write a kubeconfig for whoever has the token."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": url}}],
        "users": [{"name": _NAME, "user": {"token": token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": "default"}}],
        "current-context": _NAME,
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
