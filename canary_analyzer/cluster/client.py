"""A thin client for raw documents.

The official client's typed models lose fields that they do not know; what we copy or edit must keep every byte, so
documents stay JSON. Connection, authentication and proxies are the official client's.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import kubernetes
import urllib3
from kubernetes.client.exceptions import ApiException

from canary_analyzer.cluster.errors import ClusterError, Conflict, NotFound
from canary_analyzer.cluster.exchange import Request, content, refusal, watched
from canary_analyzer.routing import Document
from canary_analyzer.timely_http import in_time

TIMEOUT = (5.0, 15.0)
"""Seconds to connect, and to begin an answer or go on with it."""
WATCH_SECONDS = 240
"""The server ends a watch after so long; a network that was cut silently is noticed no later."""
PAGE = 100
"""Objects that are asked for at a time where they may be large; an answer of a hundred records has up to 20 MB."""

MANAGER = "canary-analyzer"
"""The name that our writes have in managedFields."""
WRITES = frozenset({"POST", "PATCH"})
VERBS: Mapping[str, str] = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of namespaced object: its group with version as in `apiVersion`, and its plural."""

    api: str
    plural: str

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the URL path of one object, of a namespace's collection, or of all namespaces'."""
        root = f"/api/{self.api}" if "/" not in self.api else f"/apis/{self.api}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


DEPLOYMENTS = Kind(api="apps/v1", plural="deployments")
REPLICASETS = Kind(api="apps/v1", plural="replicasets")
PODS = Kind(api="v1", plural="pods")
SERVICES = Kind(api="v1", plural="services")
CONFIGMAPS = Kind(api="v1", plural="configmaps")
EVENTS = Kind(api="v1", plural="events")
NETWORK_POLICIES = Kind(api="networking.k8s.io/v1", plural="networkpolicies")
AUTOSCALERS = Kind(api="autoscaling/v2", plural="horizontalpodautoscalers")
DISRUPTION_BUDGETS = Kind(api="policy/v1", plural="poddisruptionbudgets")
VIRTUAL_SERVICES = Kind(api="networking.istio.io/v1", plural="virtualservices")
HTTP_ROUTES = Kind(api="gateway.networking.k8s.io/v1", plural="httproutes")
REFERENCE_GRANTS = Kind(api="gateway.networking.k8s.io/v1beta1", plural="referencegrants")
DESTINATION_RULES = Kind(api="networking.istio.io/v1", plural="destinationrules")
AUTHORIZATION_POLICIES = Kind(api="security.istio.io/v1", plural="authorizationpolicies")
PEER_AUTHENTICATIONS = Kind(api="security.istio.io/v1", plural="peerauthentications")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A collection as it stood at one resourceVersion."""

    items: Sequence[Document]
    version: str
    rest: str = ""
    """What a part that follows on this one comes after; empty where nothing is left."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of a collection: no more than `limit` of those that come after the `rest` of an earlier part."""

    limit: int
    after: str = ""


def api_client(configuration: kubernetes.client.Configuration) -> kubernetes.client.ApiClient:
    """Return a client that gives up when it should, and leaves it to its caller what is tried again, and when."""
    configuration.connection_pool_maxsize = 32
    configuration.retries = False  # urllib3 would try three times more, and sleep for as long as a server likes
    configuration.keep_alive = True  # a watch over a network that is gone is noticed
    client = kubernetes.client.ApiClient(configuration)
    in_time(client.rest_client.pool_manager)
    return client


class Cluster:
    """The Kubernetes API as raw documents. Safe to use from several threads."""

    def __init__(self, api: kubernetes.client.ApiClient, on_request: Callable[[str, int], None] | None = None) -> None:
        self._api = api
        self._on_request = on_request or (lambda *_: None)
        self._may_write: Callable[[], None] = lambda: None
        self._timeout = TIMEOUT

    @classmethod
    def connect(cls, kubeconfig: Path | None, on_request: Callable[[str, int], None] | None = None) -> Self:
        """Connect by a kubeconfig file, or from inside a cluster where none is given.

        Args:
            kubeconfig: the file.
            on_request: told of every request its verb (get, list, watch, create, patch, delete) and the HTTP status
                that answered it, 0 where nothing did.

        Raises:
            ClusterError: neither can be loaded.
        """
        configuration = kubernetes.client.Configuration()
        try:
            if kubeconfig is not None:
                kubernetes.config.load_kube_config(str(kubeconfig), client_configuration=configuration)
            else:
                kubernetes.config.load_incluster_config(client_configuration=configuration)
        except kubernetes.config.ConfigException as error:
            where = f"kubeconfig {kubeconfig}" if kubeconfig else "in-cluster configuration"
            raise ClusterError(f"{where}: {error}; give a kubeconfig file with --kubeconfig") from error
        return cls(api_client(configuration), on_request)

    def fenced(self, may_write: Callable[[], None]) -> Self:
        """Return the same cluster for one who may lose the right to write: `may_write` is asked before every write.

        It raises a ClusterError where the right is lost, and the write is not made.
        """
        fenced = copy(self)
        fenced._may_write = may_write
        return fenced

    def within(self, seconds: float) -> Self:
        """Return the same cluster for one to whom an answer is of no use that does not begin within so many seconds."""
        hasty = copy(self)
        hasty._timeout = (min(seconds, TIMEOUT[0]), min(seconds, TIMEOUT[1]))
        return hasty

    def get(self, kind: Kind, namespace: str, name: str) -> Document:
        """Return one object.

        Raises:
            NotFound: there is none; the server itself says so.
            ClusterError: any other failure.
        """
        return self._call(Request(method="GET", path=kind.path(namespace, name)))

    def find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        """Return one object, or None where there is none."""
        try:
            return self.get(kind, namespace, name)
        except NotFound:
            return None

    def list(
        self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "", part: Part | None = None
    ) -> Listing:
        """Return the objects of a namespace (of all, without one) that a label and a field selector choose.

        Of a part of them, the version is that of the whole collection all the same.
        """
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        selectors |= {"limit": str(part.limit), "continue": part.after} if part is not None else {}
        query = [(name, selector) for name, selector in selectors.items() if selector]
        found = self._call(Request(method="GET", path=kind.path(namespace), query=query, verb="list"))
        metadata = found["metadata"]
        return Listing(
            items=found.get("items") or [],
            version=metadata.get("resourceVersion", ""),
            rest=metadata.get("continue", ""),
        )

    def each(self, kind: Kind, namespace: str, labels: str) -> Iterator[Document]:
        """Yield the objects of a namespace (of all, for "") that a label selector chooses, as they were at one moment.

        They are asked for `PAGE` at a time, since all together may be large.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks

        Raises:
            Expired: they were taken so slowly (minutes) that the server has forgotten that moment.
        """
        found = self.list(kind, namespace, labels, part=Part(limit=PAGE))
        yield from found.items
        while found.rest:
            found = self.list(kind, namespace, labels, part=Part(limit=PAGE, after=found.rest))
            yield from found.items

    def log(self, namespace: str, pod: str, query: Mapping[str, str]) -> str:
        """Return the log of a container; `query` says which, and how much (`PodLogOptions` in the Kubernetes API)."""
        path = f"{PODS.path(namespace, pod)}/log"
        request = Request(method="GET", path=path, query=list(query.items()), accept="*/*")
        return content(request, self._send(request)).decode(errors="replace")

    def create(self, kind: Kind, document: Document) -> Document:
        """Create an object.

        Raises:
            Taken: the name is.
        """
        return self._call(Request(method="POST", path=kind.path(document["metadata"]["namespace"]), body=document))

    def merge(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Document:
        """Apply a JSON merge patch; put a resourceVersion in it to guard it."""
        return self._call(Request(method="PATCH", path=kind.path(namespace, name), body=patch, content_type=MERGE))

    def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> Document:
        """Apply a JSON Patch; as a dry run, return what would become of the object, admission included.

        Raises:
            Conflict: somebody else wrote in between; a `test` that fails is answered with 422, and so is what admission
                refuses: whoever tries again must not do so for ever.
        """
        path, query = kind.path(namespace, name), [("dryRun", "All")] if dry_run else []
        try:
            return self._call(Request(method="PATCH", path=path, query=query, body=operations, content_type=JSON_PATCH))
        except ClusterError as error:
            if error.status == 422:
                raise Conflict(str(error), error.status) from error
            raise

    def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> None:
        """Delete an object with all that it owns; deleting what is gone already is fine.

        Raises:
            Conflict: the object that has the name now is not the one with this uid.
        """
        condition = {"preconditions": {"uid": uid}} if uid else {}
        options = {"propagationPolicy": "Background", **condition}
        try:
            self._call(Request(method="DELETE", path=kind.path(namespace, name), body=options))
        except NotFound:
            return

    def watch(self, kind: Kind, version: str, namespace: str = "") -> Iterator[tuple[str, Document]]:
        """Begin to watch, and yield (`ADDED` | `MODIFIED` | `DELETED` | `BOOKMARK`, object) until the server ends it.

        Raises:
            Expired: the resourceVersion is too old.
            ClusterError: there is no connection, or, while events are awaited, it broke.
        """
        query = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ]
        request = Request(method="GET", path=kind.path(namespace), query=query, verb="watch")
        response = self._send(request)
        # It begins as soon as any answer, but what happens may be long in coming (None: the server closes afterwards).
        if (socket := getattr(response.connection, "sock", None)) is not None:
            socket.settimeout(WATCH_SECONDS + 10.0)
        return watched(kind.plural, response)

    def _call(self, request: Request) -> Document:
        try:
            document: Document = json.loads(content(request, self._send(request)))
        except ValueError as error:
            raise ClusterError(f"{request}: the answer is no JSON: {error}") from error
        if not isinstance(document, dict) or "metadata" not in document:
            raise ClusterError(f"{request}: the answer is no object of Kubernetes")
        return document

    def _send(self, request: Request) -> urllib3.BaseHTTPResponse:
        """Send a request and return the answer, its body yet to be read.

        Raises:
            ClusterError: there was none, or it was a refusal.
        """
        if request.method != "GET":
            self._may_write()
        try:
            response = self._exchange(request)
        except ClusterError as error:
            if request.method != "GET" or not isinstance(error.__cause__, urllib3.exceptions.ProtocolError):
                raise
            # The server closed the connection in the moment in which it was used again; reading does no harm twice.
            response = self._exchange(request)
        if response.status >= 300:
            raise refusal(request, response)
        return response

    def _exchange(self, request: Request) -> urllib3.BaseHTTPResponse:
        serialized = self._api.param_serialize(
            request.method,
            request.path,
            query_params=[*request.query, *([("fieldManager", MANAGER)] if request.method in WRITES else [])],
            header_params={"Accept": request.accept, "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        try:
            response: urllib3.BaseHTTPResponse
            response = self._api.call_api(*serialized, _request_timeout=self._timeout).response
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            self._on_request(request.verb or VERBS[request.method], 0)
            raise ClusterError(f"{request}: {error}") from error
        self._on_request(request.verb or VERBS[request.method], response.status)
        return response
