"""Access reviews: the sandbox knows no users, so everything is allowed."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.bodies import Body, read_object

Document = dict[str, Any]


def is_review(path: str) -> bool:
    """Whether the path is that of SelfSubjectAccessReview."""
    return path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def allowed(body: Body) -> Document:
    """The review with its answer.

    Raises:
        ApiError: 400.
    """
    review = read_object(body)
    status = {"allowed": True, "reason": "the sandbox allows everything"}
    return {**review, "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": status}
