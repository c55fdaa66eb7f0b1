"""Calling webhooks: each call in a thread of its own, its answer a value that the next pass finds.

A webhook that hangs holds up nobody but its own run. What is sent is described in docs/webhooks.md. Where a webhook is
and how it is reached is the service's own config; redirects are not followed, so that no answer can point elsewhere.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import structlog
from pydantic import AfterValidator, Field

from canary_analyzer.rollout.fields import Seconds, Settings
from canary_analyzer.rollout.gates import Answer, Call
from canary_analyzer.rollout.run import Run
from canary_analyzer.service.posting import Letter, Reply, SecretFile, Unreadable, post, secret

log = structlog.get_logger()

RETRY_SECONDS = 1.0
"""Between two tries of one call: a pod that restarts is back, one that is overloaded is not asked at once."""


def _without_credentials(url: str) -> str:
    if "@" in url.split("://", 1)[-1].split("/", 1)[0]:
        raise ValueError("credentials do not belong in a URL: put them in a file and name it in headers_from_file")
    return url


class WebhookSettings(Settings):
    """Where a webhook is, and how long it may take."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]"), AfterValidator(_without_credentials)]
    timeout_seconds: Annotated[Seconds, Field(le=300)] = 10.0
    """For one try; a gate that needs longer should answer 503 until it has its result, as it is asked again."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Further tries within one call, after an error or a 5xx."""
    every_seconds: Seconds = 10.0
    """Time between two calls of a gate that has not said yes."""
    on_refusal: Literal["wait", "abort"] = "wait"
    """What anything but 2xx means for a gate: ask again until the run's deadline, or abort the run at once."""
    headers: Mapping[str, str] = {}
    """Not for secrets: these are shown with the config."""
    headers_from_file: Mapping[str, SecretFile] = {}
    """Header by file, such as {Authorization: /secrets/token}; read at each call, so that a rotated one is used."""

    @property
    def longest_call(self) -> float:
        """Seconds after which a call is over, all tries included."""
        return (self.retries + 1) * (self.timeout_seconds + RETRY_SECONDS)


@dataclass(kw_only=True)
class _Asked:
    """One call: under way while `answer` is None."""

    since: float
    before: Answer | None = None
    """What was answered the last time: it holds until there is another."""
    answer: Answer | None = None
    ended: float = 0.0


Key = tuple[str, str, str]
"""Namespace and name of a run, and the call's key."""


@dataclass(kw_only=True)
class Webhooks:
    """The webhooks of the service's config and what they have answered. Safe to use from several threads."""

    settings: Mapping[str, WebhookSettings] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    on_defect: Callable[[], None] = lambda: None
    """Called when a call fails by a defect of ours."""
    _asked: dict[Key, _Asked] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def call(self, run: Run, calls: Sequence[Call]) -> None:
        """Start each call that is neither under way, nor answered with yes, nor answered a short while ago."""
        for each in calls:
            key, settings = _key(run, each), self.settings.get(each.webhook)
            with self._lock:
                if settings is not None and not self._is_due(self._asked.get(key), settings):
                    continue
                before = self._known(key)
                asked = self._asked[key] = _Asked(since=self.clock(), before=before)
            if settings is None:
                self._answered(asked, Answer(passed=False, text="is not in the service's config (any more)"))
                continue
            body = content(run, each)
            threading.Thread(
                target=self._work, args=(asked, each, settings, body), name=f"webhook {each.webhook}", daemon=True
            ).start()

    def answers(self, run: Run) -> Mapping[str, Answer]:
        """Return what has been answered to a run, by the key of the call."""
        with self._lock:
            mine = [key for key in self._asked if key[:2] == (run.namespace, run.name)]
            return {key[2]: answer for key in mine if (answer := self._known(key)) is not None}

    def forget(self, run: Run) -> None:
        """Forget the answers to a run that is over."""
        with self._lock:
            for key in [key for key in self._asked if key[:2] == (run.namespace, run.name)]:
                del self._asked[key]

    def _is_due(self, asked: _Asked | None, settings: WebhookSettings) -> bool:
        if asked is None:
            return True
        if asked.answer is None:
            return False  # its thread is still there: a server that trickles its answer gets no second one
        return not asked.answer.passed and self.clock() - asked.ended >= settings.every_seconds

    def _known(self, key: Key) -> Answer | None:
        """Return the newest answer, or None where there never was one in time."""
        asked, settings = self._asked.get(key), self.settings.get(key[2].rpartition("/")[2])
        if asked is None or asked.answer is not None:
            return asked.answer if asked is not None else None
        if settings is not None and self.clock() - asked.since > settings.longest_call:
            return _failed(settings, f"has not answered for {settings.longest_call:g} s")
        return asked.before

    def _work(self, asked: _Asked, call: Call, settings: WebhookSettings, body: Mapping[str, Any]) -> None:
        try:
            answer = _ask(settings, body)
        except Exception:
            log.exception("a webhook could not be called by a defect of ours", webhook=call.webhook)
            self.on_defect()
            answer = _failed(settings, "could not be called; see the service's log")
        log.info("webhook called", webhook=call.webhook, call=body["id"], passed=answer.passed, answer=answer.text)
        self._answered(asked, answer)

    def _answered(self, asked: _Asked, answer: Answer) -> None:
        with self._lock:
            asked.answer, asked.ended = answer, self.clock()


def content(run: Run, call: Call) -> dict[str, Any]:
    """Return the JSON that a webhook gets."""
    return {
        "id": f"{run.namespace}/{run.name}/{call.key}",
        "moment": call.moment,
        "webhook": call.webhook,
        "namespace": run.namespace,
        "deployment": run.deployment,
        "run": run.name,
        "strategy": run.strategy,
        "phase": run.phase,
        "step": call.step,
        "weight": run.weight,
        "images": dict(run.images),
        "stable_images": dict(run.stable_images),
        "canary": {"deployment": run.canary, "service": run.canary_service},
        "verdict": run.verdict,
        "reason": run.reason,
    }


def _ask(settings: WebhookSettings, body: Mapping[str, Any]) -> Answer:
    """Try until there is an answer that another try would not change."""
    for left in range(settings.retries, -1, -1):
        reply = _try(settings, body)
        if reply.ok:
            return Answer(passed=True, text=reply.text)
        if left == 0 or 0 < reply.status < 500:
            break
        time.sleep(RETRY_SECONDS)
    return _failed(settings, reply.text)


def _try(settings: WebhookSettings, body: Mapping[str, Any]) -> Reply:
    try:
        headers = {name: secret(path) for name, path in settings.headers_from_file.items()}
    except Unreadable as error:
        return Reply(status=0, text=f"was not called: {error}")
    whole = {"Content-Type": "application/json", **settings.headers, **headers}
    return post(Letter(url=settings.url, body=json.dumps(body).encode(), headers=whole), settings.timeout_seconds)


def _failed(settings: WebhookSettings, text: str) -> Answer:
    return Answer(passed=False, text=text, final=settings.on_refusal == "abort")


def _key(run: Run, call: Call) -> Key:
    return run.namespace, run.name, call.key
