"""Reviews that a server answers and does not store: may I, and a token for a ServiceAccount."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from canary_analyzer.sandbox.api.bodies import Body, read_object
from canary_analyzer.sandbox.api.rbac import Wish

Document = dict[str, Any]
_TOKEN_SECONDS = 3600


def is_review(path: str) -> bool:
    """Whether the path is that of SelfSubjectAccessReview."""
    return path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def wish_of(body: Body) -> tuple[Document, Wish]:
    """The review, and what it asks about.

    Raises:
        ApiError: 400.
    """
    review = read_object(body)
    asked = (review.get("spec") or {}).get("resourceAttributes") or {}
    resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
    fields = {field: asked.get(field, "") for field in ("verb", "group", "namespace", "name")}
    return review, Wish(resource=resource, **fields)


def answered(review: Document, passed: bool) -> Document:
    """The review with its answer."""
    kind = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
    return {**review, **kind, "status": {"allowed": passed, "reason": "by the bindings of RBAC" if passed else ""}}


def token_request(body: Body, token: str) -> Document:
    """The answer to a request for a token; the sandbox's do not really expire.

    Raises:
        ApiError: 400.
    """
    # kubectl sends this one as protobuf; nothing in it matters here.
    readable = body.content and not body.media_type.endswith("protobuf")
    request = read_object(body) if readable else {}
    seconds = (request.get("spec") or {}).get("expirationSeconds") or _TOKEN_SECONDS
    end = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    kind = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
    return {"metadata": {}, **request, **kind, "status": {"token": token, "expirationTimestamp": end}}
