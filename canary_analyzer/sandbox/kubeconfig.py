"""How to reach an API server, read from a kubeconfig file.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
(the parts without plugins: URL, CA, client certificate, token).
"""

import base64
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml

Section = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where the API server is and how one is let in."""

    url: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None


def load(path: Path) -> Endpoint:
    """Read the file's current context (the first one if none is named).

    Raises:
        OSError: the file cannot be read.
        ValueError: the file names a context, cluster or user that it does not hold.
    """
    config = yaml.safe_load(path.read_text())
    contexts = config.get("contexts") or []
    current = config.get("current-context") or (contexts[0]["name"] if contexts else "")
    context = _entry(contexts, current, "context", path)
    cluster = _entry(config.get("clusters") or [], context.get("cluster", ""), "cluster", path)
    user = _entry(config.get("users") or [], context["user"], "user", path) if context.get("user") else {}
    url = str(cluster["server"]).rstrip("/")
    headers = {"Authorization": f"Bearer {token}"} if (token := _token(user, path)) else {}
    return Endpoint(url=url, headers=headers, tls=_tls(cluster, user, path) if url.startswith("https:") else None)


def _entry(entries: Sequence[Section], name: str, kind: str, path: Path) -> Section:
    for entry in entries:
        if entry["name"] == name:
            section: Section = entry.get(kind) or {}
            return section
    raise ValueError(f"{path}: there is no {kind} {name!r}: add it or choose another with `kubectl config use-context`")


def _token(user: Section, path: Path) -> str:
    if "tokenFile" in user:
        return (path.parent / str(user["tokenFile"])).read_text().strip()
    return str(user.get("token", ""))


def _tls(cluster: Section, user: Section, path: Path) -> ssl.SSLContext:
    authority = _material(cluster, "certificate-authority", path)
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    certificate = _material(user, "client-certificate", path)
    key = _material(user, "client-key", path)
    if certificate and key:
        _load_certificate(tls, certificate + b"\n" + key)
    return tls


def _material(section: Section, field: str, path: Path) -> bytes:
    if f"{field}-data" in section:
        return base64.b64decode(section[f"{field}-data"])
    return (path.parent / section[field]).read_bytes() if field in section else b""


def _load_certificate(tls: ssl.SSLContext, pem: bytes) -> None:
    # The ssl module takes client certificates from files only.
    with NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        tls.load_cert_chain(file.name)
