"""What is told of a run, and how each kind of receiver is told: values in, documents out."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Moment
from canary_analyzer.rollout.story import Arms, Figures, Sample, Story
from canary_analyzer.service.notifications import formats
from canary_analyzer.service.notifications.formats import rendered
from canary_analyzer.service.notifications.news import Kind, News, happened, news_of
from canary_analyzer.service.notifications.settings import Form, Receiver
from canary_analyzer.service.posting import Unreadable
from canary_analyzer.service.settings import Misconfigured, load

P = Phase


def with_story(run, *phases):
    timeline = tuple(Moment(at=float(at), phase=phase, weight=10, text=f"{phase} it is") for at, phase in phases)
    return run.model_copy(update={"timeline": timeline, "phase": timeline[-1].phase})


STORIES = {
    "promoted": (
        [(0, P.STARTING), (5, P.ANALYSING), (6, P.ANALYSING), (50, P.PROMOTING), (60, P.SUCCEEDED)],
        ["started@0.000", "passed@50.000", "promoted@60.000"],
    ),
    "aborted, told when traffic goes back and not again": (
        [(0, P.STARTING), (5, P.ANALYSING), (9, P.ABORTING), (12, P.ABORTING), (20, P.ABORTED)],
        ["started@0.000", "aborted@9.000"],
    ),
    "asked for approval twice": (
        [(0, P.STARTING), (5, P.AWAITING_APPROVAL), (6, P.ANALYSING), (9, P.AWAITING_APPROVAL)],
        ["started@0.000", "approval-asked@5.000", "approval-asked@9.000"],
    ),
    "held again and again": (
        [(0, P.HOLDING), (5, P.ANALYSING), (9, P.HOLDING), (12, P.ANALYSING), (700, P.HOLDING)],
        ["held@0.000", "held@700.000"],
    ),
    "held at the same time as routed": (
        [(0, P.STARTING), (5, P.ANALYSING), (5, P.HOLDING)],
        ["started@0.000", "held@5.000"],
    ),
    "its beginning lost": ([(at, P.HOLDING) for at in range(200)], []),
}


@pytest.mark.parametrize(("phases", "keys"), STORIES.values(), ids=STORIES)
def test_entering_a_phase_is_news_and_a_flapping_hold_is_told_once(run, phases, keys):
    assert [f"{kind}@{moment.at:.3f}" for kind, moment in happened(with_story(run, *phases))] == keys


def story():
    figures = Figures(against=1.0, favour=0.0, effect=0.03, low=0.01, high=None)
    sample = Sample(at=9.0, weight=10, requests=Arms(100, 900), errors=Arms(5, 9), metrics=(figures,))
    told = Story(metrics=("errors",), reasons=("more errors",), requests=(Arms(100, 900),), ticks=1)
    return told.with_samples([sample])


@pytest.fixture
def news(run):
    """An aborted run, its reason and its image hostile to every format."""
    aborted = with_story(run, (0, P.STARTING), (9, P.ABORTING))
    moment = aborted.timeline[-1].model_copy(update={"text": "<!channel> *worse* [a](http://evil) \x1b[31m & `co`"})
    hostile = aborted.model_copy(update={"images": {"app": "registry/<@U1>_v2_"}, "verdict": "abort"})
    return news_of(Kind.ABORTED, moment, hostile, story(), "https://canaries.example")


def told(form, news):
    content_type, body = rendered(form, news)
    return content_type, json.loads(body)


def texts(document):
    """Yield every text in a document."""
    if isinstance(document, dict):
        document = list(document.values())
    for each in document if isinstance(document, list) else ():
        yield from [each] if isinstance(each, str) else texts(each)


@pytest.mark.parametrize("form", Form)
def test_verdict_figures_and_link_are_in_every_format_and_nothing_steers_a_terminal(form, news):
    _, document = told(form, news)
    whole = "\n".join(texts(document))
    for part in (
        "default/app-1",
        "+3.00 points",
        "100 and 900 requests",
        "https://canaries.example/runs/default/app-1",
    ):
        assert part in whole
    assert "\x1b" not in whole


def test_slack_can_be_made_to_call_nobody(news):
    content_type, message = told(Form.SLACK, news)
    assert content_type == "application/json; charset=utf-8"
    whole = "\n".join(texts(message))
    assert "&lt;!channel&gt;" in whole
    assert "<!" not in whole
    assert "<@" not in whole
    assert whole.count("<") == 1  # our own link
    assert message["text"] == "*Canary aborted, traffic goes back: default/app-1*"


def test_slack_takes_no_text_beyond_its_limits_and_none_is_cut_within_an_escape(news):
    _, message = told(Form.SLACK, replace(news, reason="&" * 1000, images={"a": "<" * 5000}))
    blocks = message["attachments"][0]["blocks"]
    fields = [field["text"] for block in blocks for field in block.get("fields", ())]
    sections = [block["text"]["text"] for block in blocks if "text" in block]
    assert max(map(len, fields)) <= 2000 + len("*Version*\n…")
    assert max(map(len, sections)) <= 3000
    assert all(text.removesuffix("…").endswith(";") for text in fields + sections if "&amp;&amp;" in text)


def test_teams_gets_a_card_in_which_text_is_never_markdown(news):
    _, message = told(Form.TEAMS, news)
    [attachment] = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    elements = [item for each in card["body"] for item in each.get("items", [each])]
    assert {element["type"] for element in elements} == {"RichTextBlock"}
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Status page", "url": "https://canaries.example/runs/default/app-1"}
    ]
    assert len(rendered(Form.TEAMS, replace(news, reason="x" * 9000))[1]) < 28_000


def test_a_cloud_event_has_all_that_1_0_asks_for_and_the_same_id_at_each_try(news):
    content_type, event = told(Form.WEBHOOK, news)
    assert content_type == "application/cloudevents+json; charset=utf-8"
    assert event["specversion"] == "1.0"
    assert event["type"] == "io.canary-analyzer.run.aborted"
    assert event["id"] == "default/app-1/aborted@9.000"
    assert event["source"] == "/canary-analyzer/namespaces/default/deployments/app"
    assert event["time"] == "1970-01-01T00:00:09+00:00"
    assert event["data"]["metrics"][0]["requests"] == {"canary": 100, "baseline": 900}
    assert event["data"]["metrics"][0]["high"] is None
    assert event["data"]["reason"].startswith("<!channel>")  # JSON needs no escaping of ours


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("form", Form)
def test_all_kinds_can_be_told_in_all_formats_with_the_least_that_is_known(form, kind):
    assert told(form, News(kind=kind, at=0.0, namespace="n", deployment="d"))
    assert formats.LOOKS[kind].title


SECRET = "https://hooks.example/services/T0/B0/s3cret"
WRONG = {
    "none": ({"kind": "slack"}, "give one of url, url_file and url_env, not none"),
    "two": ({"kind": "webhook", "url": "https://a", "url_env": "X"}, "not url and url_env"),
    "a chat's address in clear": ({"kind": "slack", "url": SECRET}, "name it in url_file"),
    "a chat's address in clear, teams": ({"kind": "teams", "url": SECRET}, "name it in url_file"),
    "credentials": ({"kind": "webhook", "url": "https://me:s3cret@a/"}, "it holds credentials"),
    "no URL": ({"kind": "webhook", "url": "ftp://a/s3cret"}, "begins with https:// or http://"),
    "headers for a chat": ({"kind": "slack", "url_env": "X", "headers_from_file": {"A": "/a"}}, "looks at no headers"),
    "no such event": ({"kind": "slack", "url_env": "X", "events": ["finished"]}, "'approval-asked'"),
    "no such field": ({"kind": "slack", "hook": SECRET}, "there is no such field"),
}


@pytest.mark.parametrize(("fields", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_receiver_is_refused_in_words_that_hold_no_secret(tmp_path, fields, told):
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"notifications": [{"name": "it", **fields}]}))
    with pytest.raises(Misconfigured) as error:
        load(config)
    assert told in str(error.value)
    assert "s3cret" not in str(error.value)


def test_two_of_one_name_are_refused(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"notifications": [{"name": "it", "kind": "slack", "url_env": "X"}] * 2}))
    with pytest.raises(Misconfigured, match="several have the name it"):
        load(config)


def test_an_address_is_read_at_each_try_and_a_bad_one_is_not_repeated(tmp_path, monkeypatch):
    file = tmp_path / "url"
    receiver = Receiver(name="it", kind=Form.SLACK, url_file=file)
    with pytest.raises(Unreadable, match="cannot be read"):
        receiver.address()
    file.write_text(f"{SECRET}\n")
    assert receiver.address() == SECRET
    file.write_text("s3cret")
    with pytest.raises(Unreadable) as error:
        receiver.address()
    assert "s3cret" not in str(error.value)
    monkeypatch.setenv("SLACK_URL", SECRET)
    assert Receiver(name="it", kind=Form.SLACK, url_env="SLACK_URL").address() == SECRET


def test_a_receiver_is_told_what_it_asks_for():
    receiver = Receiver(name="it", kind=Form.SLACK, url_env="X", events=("aborted",), namespaces=("shop",))
    assert receiver.wants(Kind.ABORTED, "shop")
    assert not receiver.wants(Kind.ABORTED, "bank")
    assert not receiver.wants(Kind.STARTED, "shop")
    assert not Receiver(name="it", kind=Form.SLACK, url_env="X").wants(Kind.PASSED, "shop")
    with pytest.raises(ValidationError):
        Receiver(name="it", kind=Form.SLACK, url_env="X", events=())
