"""News in the words of each kind of receiver. What others wrote is escaped as that format asks.

Slack: Block Kit, https://docs.slack.dev/reference/block-kit and, on escaping,
https://docs.slack.dev/messaging/formatting-message-text. Teams: an Adaptive Card in the envelope that a workflow takes,
https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook and https://adaptivecards.io/explorer. CloudEvents
1.0, JSON format, structured content mode, https://github.com/cloudevents/spec.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from canary_analyzer.report import words
from canary_analyzer.service.notifications.news import Kind, News
from canary_analyzer.service.notifications.settings import Form

LONGEST = 2000
"""Characters of one text: Slack takes so many in a field and 3,000 in a section, Teams 28 kB in all."""
MOST_FIGURES = 12

TYPE_PREFIX = "io.canary-analyzer.run."

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Look:
    title: str
    colour: str
    """Of Slack's bar."""
    style: str
    """Of Teams' container."""


LOOKS: Mapping[Kind, _Look] = {
    Kind.STARTED: _Look(title="Canary started", colour="#439fe0", style="accent"),
    Kind.HELD: _Look(title="Canary held", colour="#daa038", style="warning"),
    Kind.APPROVAL_ASKED: _Look(title="Canary waits for approval", colour="#daa038", style="warning"),
    Kind.PASSED: _Look(title="Canary passed", colour="#439fe0", style="accent"),
    Kind.PROMOTED: _Look(title="Canary promoted", colour="#2eb886", style="good"),
    Kind.ABORTED: _Look(title="Canary aborted, traffic goes back", colour="#a30200", style="attention"),
    Kind.REFUSED: _Look(title="No canary was started", colour="#a30200", style="attention"),
}


def rendered(form: Form, news: News) -> tuple[str, bytes]:
    """Return the Content-Type and the body that such a receiver takes."""
    content_type, render = FORMATS[form]
    return f"{content_type}; charset=utf-8", json.dumps(render(news), ensure_ascii=False).encode()


def title(news: News) -> str:
    """Return what happened, and to what, in a line."""
    return f"{LOOKS[news.kind].title}: {news.namespace}/{news.run or news.deployment}"


def facts(news: News) -> dict[str, str]:
    """Return what one looks for first, by its name."""
    versions = ", ".join(
        f"{news.stable_images[name]} → {image}" if name in news.stable_images else image
        for name, image in news.images.items()
    )
    return {
        name: value
        for name, value in {
            "Deployment": f"{news.namespace}/{news.deployment}",
            "Version": versions or news.wanted,
            "Weight": f"{news.weight} %" if news.run else "",
            "Verdict": news.verdict,
            "Time": words.time(news.at),
        }.items()
        if value
    }


def paragraphs(news: News) -> list[str]:
    """Return why, by which figures, and what now."""
    figures = (f"• {figure.sentence}" for figure in news.figures[:MOST_FIGURES])
    return [text for text in (news.reason, *figures, news.advice) if text]


# Slack -----------------------------------------------------------------------------------------------------------


def slack(news: News) -> Document:
    """Return a message: its headline, which notifications show too, and the rest beside a coloured bar."""
    fields = [_mrkdwn(f"*{name}*\n{_slack_text(value)}") for name, value in facts(news).items()]
    blocks: list[Document] = [
        {"type": "section", "fields": fields},
        *({"type": "section", "text": _mrkdwn(_slack_text(text))} for text in paragraphs(news)),
    ]
    if news.link:
        blocks.append({"type": "section", "text": _mrkdwn(f"<{_slack_text(news.link)}|Status page>")})
    bar = {"color": LOOKS[news.kind].colour, "blocks": blocks}
    return {"text": f"*{_slack_text(title(news))}*", "attachments": [bar]}


def _mrkdwn(text: str) -> Document:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


SLACK_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Slack's three control characters: no link, mention or channel can be made without them."""


def _slack_text(text: str) -> str:
    """Escape, and cut what is too long between two characters, not in the midst of one."""
    pieces = [SLACK_ESCAPES.get(each, each) for each in text]
    fitting = sum(length < LONGEST for length in accumulate(map(len, pieces)))
    return "".join(pieces) if fitting == len(pieces) else "".join(pieces[:fitting]) + "…"


# Teams -----------------------------------------------------------------------------------------------------------


def teams(news: News) -> Document:
    """Return the envelope with one Adaptive Card; text runs know no Markdown, so that nothing needs escaping."""
    head: Document = {
        "type": "Container",
        "style": LOOKS[news.kind].style,
        "bleed": True,
        "items": [_runs(title(news), size="Medium", weight="Bolder")],
    }
    body = [
        head,
        *(_runs(f"{name}: ", weight="Bolder", then=value) for name, value in facts(news).items()),
        *(_runs(text) for text in paragraphs(news)),
    ]
    card: Document = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": _cut(f"{title(news)}: {news.reason}"),
        "body": body,
    }
    if news.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Status page", "url": news.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _runs(text: str, *, then: str = "", **style: str) -> Document:
    runs: list[Document] = [{"type": "TextRun", "text": _cut(text), **style}]
    if then:
        runs.append({"type": "TextRun", "text": _cut(then)})
    return {"type": "RichTextBlock", "inlines": runs}


# CloudEvents -----------------------------------------------------------------------------------------------------


def cloud_event(news: News) -> Document:
    """Return the event; `source` and `id` together are the same at each try, so that a receiver can drop repeats."""
    return {
        "specversion": "1.0",
        "id": news.id,
        "source": f"/canary-analyzer/namespaces/{news.namespace}/deployments/{news.deployment}",
        "type": f"{TYPE_PREFIX}{news.kind}",
        "subject": news.run or news.deployment,
        "time": words.iso(news.at),
        "datacontenttype": "application/json",
        "data": _data(news),
    }


def _data(news: News) -> Document:
    return {
        "namespace": news.namespace,
        "deployment": news.deployment,
        "run": news.run,
        "strategy": news.strategy,
        "phase": news.phase,
        "weight": news.weight,
        "images": dict(news.images),
        "stable_images": dict(news.stable_images),
        "wanted": news.wanted,
        "verdict": news.verdict,
        "cause": news.cause,
        "reason": news.reason,
        "advice": news.advice,
        "metrics": [
            {
                "name": figure.name,
                "effect": figure.newest.effect,
                "low": figure.newest.low,
                "high": figure.newest.high,
                "evidence_against": figure.newest.against,
                "evidence_for": figure.newest.favour,
                "requests": figure.requests._asdict(),
                "sentence": figure.sentence,
            }
            for figure in news.figures
        ],
        "link": news.link,
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


FORMATS: Mapping[Form, tuple[str, Callable[[News], Document]]] = {
    Form.SLACK: ("application/json", slack),
    Form.TEAMS: ("application/json", teams),
    Form.WEBHOOK: ("application/cloudevents+json", cloud_event),
}
