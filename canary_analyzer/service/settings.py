"""The config file: where things are, and the policies by name."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from canary_analyzer.metrics.replicas import REPLICA_LABELS
from canary_analyzer.report.links import LinkTemplate
from canary_analyzer.rollout.fields import Seconds, Settings
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES, RolloutPolicy, merged, mistakes
from canary_analyzer.service.notifications.news import Kind
from canary_analyzer.service.notifications.settings import Receiver
from canary_analyzer.service.posting import SecretFile
from canary_analyzer.service.webhooks import WebhookSettings


class Misconfigured(ValueError):
    """A config that cannot be used; `mistakes` holds one sentence for each."""

    def __init__(self, source: str, found: tuple[str, ...]) -> None:
        super().__init__("\n".join([f"{source}: {len(found)} mistake(s), nothing was started", *found]))
        self.mistakes = found


class PrometheusSettings(Settings):
    """Where the samples come from."""

    url: Annotated[str, Field(pattern=r"^https?://")] = "http://prometheus.istio-system:9090"
    timeout_seconds: Seconds = 10.0
    staleness_seconds: Seconds = 15.0
    """A newest sample older than this, than three ticks and than 2.5 scrape intervals as seen, counts as no metrics."""
    dialect: Literal["istio", "linkerd"] = "istio"
    """Whose names the metrics have."""
    reporter: Literal["source", "destination", "waypoint"] = "source"
    """Who counts: the callers' proxies, those of the called, or, in Istio's ambient mode, waypoints."""
    username: str | None = None
    password_file: SecretFile | None = None
    """For basic auth; files are read again for each query, since passwords and tokens are replaced now and then."""
    token_file: SecretFile | None = None
    """For bearer auth."""
    ca_file: Path | None = None
    """Certificates that the server's may be signed by; the system's, where none is given."""
    headers: Mapping[str, str] = {}
    """Sent with every query, for instance X-Scope-OrgID; not for secrets."""
    replica_labels: tuple[str, ...] = REPLICA_LABELS
    """What tells the replicas of a pair apart where nobody deduplicates: one at a time is read, or all counts twice."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = []
        if "@" in urlsplit(self.url).netloc:
            wrong.append("url: it holds credentials, which would be logged; use username and password_file")
        if self.dialect == "linkerd" and self.reporter == "waypoint":
            wrong.append("reporter = waypoint: only Istio has waypoints; use source or destination")
        if (self.username is None) != (self.password_file is None):
            wrong.append("username, password_file: basic auth needs both; give the other one too")
        if self.password_file and self.token_file:
            wrong.append("password_file, token_file: only one of them can be sent; remove the other")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class HttpSettings(Settings):
    """Where the service's own metrics and health are served; read-only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 lets the system choose a free one."""


class ReplicaSettings(Settings):
    """How several replicas of the service share the runs, by one Lease each."""

    namespace: str = ""
    """Of the Leases; else that of the pod we run in; outside a pod there are no Leases and no other replicas."""
    lease_seconds: Annotated[Seconds, Field(ge=2, le=300)] = 15.0
    """After so long, others take over what a replica had that died; three fifths of it may the API server not answer
    before a replica stops writing."""


class Routing(StrEnum):
    """Which API says where requests go."""

    ISTIO = "istio"
    """VirtualServices."""
    GATEWAY_API = "gateway-api"
    """HTTPRoutes."""

    @property
    def kind(self) -> str:
        """The kind of the documents that are edited."""
        return "VirtualService" if self is Routing.ISTIO else "HTTPRoute"


class ServiceSettings(Settings):
    """Everything the service is told at its start."""

    namespaces: tuple[str, ...] = ()
    """Namespaces that are watched; none means all."""
    prometheus: PrometheusSettings = PrometheusSettings()
    http: HttpSettings = HttpSettings()
    replicas: ReplicaSettings = ReplicaSettings()
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """Runs that may be taken forward at the same moment."""
    profiles: Mapping[str, RolloutPolicy] = PROFILES
    """Policies that the annotation `profile` can name."""
    webhooks: Mapping[str, WebhookSettings] = {}
    """Webhooks that policies can name: nobody else may say where requests of ours go."""
    routing: Routing = Routing.ISTIO
    read_logs: bool = True
    """Whether the last log lines of canary pods are kept in the record of a run that is sent back."""
    notifications: tuple[Receiver, ...] = ()
    """Who is told what becomes of runs."""
    status_page_url: Annotated[str, Field(pattern=r"^(https?://[^/@]+(/\S*)?)?$")] = ""
    """Where people reach the status page, such as https://canaries.example.com; for links in notifications."""
    links: tuple[LinkTemplate, ...] = ()
    """Links of every run's page, such as to Grafana and to where logs are kept."""

    @property
    def offers(self) -> Offers:
        """What annotations can choose from."""
        return Offers(
            profiles=self.profiles,
            webhooks=frozenset(self.webhooks),
            route_kind=self.routing.kind,
            tells_refusals=any(Kind.REFUSED in receiver.events for receiver in self.notifications),
        )

    @model_validator(mode="after")
    def _webhooks_are_known(self) -> Self:
        unknown = [
            f"profiles.{name}: there is no webhook {webhook} under `webhooks`; add it or correct its spelling"
            for name, policy in self.profiles.items()
            for webhook in sorted(policy.webhook_names - self.webhooks.keys())
        ]
        if unknown:
            raise ValueError("; ".join(unknown))
        return self

    @model_validator(mode="after")
    def _receivers_have_names_of_their_own(self) -> Self:
        names = [receiver.name for receiver in self.notifications]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"notifications: several have the name {', '.join(repeated)}; give each its own")
        return self

    @field_validator("profiles", mode="before")
    @classmethod
    def _upon_built_in(cls, given: Any) -> Any:
        """Lay each given profile upon the built-in one of that name, or upon `standard`."""
        if not isinstance(given, Mapping) or not all(isinstance(fields, Mapping) for fields in given.values()):
            return given  # pydantic says what is wrong with it
        built_in = {name: policy.model_dump(mode="json") for name, policy in PROFILES.items()}
        laid = {name: merged(built_in.get(name, built_in["standard"]), fields) for name, fields in given.items()}
        return {**built_in, **laid}


def load(path: Path | None, over: Mapping[str, Any] | None = None) -> ServiceSettings:
    """Read a config file; without one, the defaults hold.

    Args:
        path: of the file.
        over: fields that the command line replaces.

    Raises:
        Misconfigured: with every mistake, each with its field.
    """
    source = str(path) if path is not None else "command line"
    fields = _read(path, source) if path is not None else {}
    try:
        return ServiceSettings.model_validate(merged(fields, over or {}))
    except ValidationError as error:
        raise Misconfigured(source, mistakes(error)) from error


def _read(path: Path, source: str) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:  # not its text, from which yaml would quote lines that can hold secrets
            fields = yaml.safe_load(file) or {}
    except OSError as error:
        raise Misconfigured(source, (f"it cannot be read: {error.strerror}",)) from error
    except Exception as error:  # of any kind, as with annotations
        raise Misconfigured(source, (f"it is not YAML: {error} ({type(error).__name__})",)) from error
    if not isinstance(fields, Mapping):
        raise Misconfigured(source, ("it holds no mapping: write fields, such as 'prometheus: {url: ...}'",))
    return fields
