from html.parser import HTMLParser

import pytest

from canary_analyzer.report.links import Link
from canary_analyzer.report.page import Setting, list_page, run_page
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.run import Moment, Run
from canary_analyzer.rollout.story import MOST, Arms, Figures, Finding, Latency, Sample, Story

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
SETTING = Setting(as_of=2e9, links=(Link(title="Grafana", url="https://grafana.example/d/x"),))


def run(text: str = "fine", phase: Phase = Phase.ANALYSING) -> Run:
    return Run(
        name="web-1",
        namespace="shop",
        deployment="web",
        service="web",
        canary="web-canary",
        canary_service="web-canary",
        label=("track", "canary"),
        trigger=text,
        images={"app": text},
        stable_images={"app": text},
        stable_template="t",
        policy=RolloutPolicy(),
        started=2e9 - 100,
        phase=phase,
        reason=text,
        verdict=text,
        timeline=(Moment(at=2e9 - 90, phase=phase, weight=5, text=text),),
    )


def story(text: str = "errors") -> Story:
    figures = Figures(against=0.4, favour=-0.004, effect=0.01, low=-0.2, high=None)
    samples = tuple(
        Sample(at=2e9 - 90 + 10 * i, weight=5, requests=Arms(canary=5, baseline=95), metrics=(figures,))
        for i in range(5)
    )
    return Story(
        metrics=(text,),
        reasons=(text,),
        requests=(Arms(25, 475),),
        latency=Latency(edges_ms=(10, 100), canary=(20, 5, 0), baseline=(400, 75, 0)),
        findings=(Finding(at=2e9, about=text, text=text),),
    ).with_samples(samples)


class Elements(HTMLParser):
    """What a browser would make of a page: its elements and where they point."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(run_page(run(HOSTILE), story(HOSTILE), SETTING), id="run"),
        pytest.param(list_page([(run(HOSTILE), "/runs/shop/web-1")], SETTING), id="list"),
    ],
)
def test_what_others_wrote_is_text_and_never_markup(page: str) -> None:
    elements = Elements(page)
    assert "script" not in elements.tags
    assert "img" not in elements.tags
    assert not [name for name, _ in elements.attributes if name.startswith("on")]


def test_a_page_loads_nothing_from_elsewhere() -> None:
    elements = Elements(run_page(run(), story(), Setting(as_of=2e9)))
    loaded = [value for name, value in elements.attributes if name in ("src", "href", "xlink:href")]
    assert all((value or "").startswith(("#", "data:")) for value in loaded)
    assert "@import" not in run_page(run(), story(), Setting(as_of=2e9))


def test_the_page_of_a_run_that_has_just_begun_has_no_pictures_yet() -> None:
    page = run_page(run(), Story(), SETTING)
    assert "svg" not in Elements(page).tags
    assert "web-1" in page


def test_the_page_of_a_run_tells_the_figures_the_story_and_the_policy() -> None:
    page = run_page(run("because"), story(), SETTING)
    for word in ("because", "errors", "+1.00 points", "0.40", "2033-05-18", "alpha", "grafana.example"):
        assert word in page
    assert Elements(page).tags.count("svg") == 6


UNKNOWN = Figures(None, None, None, None, None)
STORIES = {
    "no metric judged yet": story().with_samples(story().samples[:1]).model_copy(update={"metrics": (), "reasons": ()}),
    "nothing known of a metric": story().with_samples([each._replace(metrics=(UNKNOWN,)) for each in story().samples]),
    "no requests": story()
    .with_samples([each._replace(requests=Arms()) for each in story().samples])
    .model_copy(update={"latency": Latency()}),
    "as many samples as are kept": story().with_samples(
        [story().samples[0]._replace(at=2e9 + 10.0 * i) for i in range(MOST)]
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("told", STORIES.values(), ids=STORIES)
def test_pictures_are_drawn_of_whatever_is_known(told: Story) -> None:
    page = run_page(run(), told, SETTING)
    assert Elements(page).tags.count("svg") >= 2
    assert "nan" not in page


def test_what_is_known_of_a_metric_is_a_word_beside_its_name() -> None:
    words = {"worse": (1.0, 0.2), "within tolerance": (0.1, 1.3), "undecided": (0.9, 0.9)}
    for word, (against, favour) in words.items():
        figures = Figures(against=against, favour=favour, effect=0.0, low=-0.1, high=0.1)
        told = story().with_samples([story().samples[0]._replace(metrics=(figures,))])
        assert f'<span class="phase">{word}</span>' in run_page(run(), told, SETTING)


def test_the_list_has_what_is_under_way_before_what_has_ended() -> None:
    runs = [(run(phase=Phase.SUCCEEDED), "/ended"), (run(), "/active")]
    page = list_page(runs, SETTING)
    assert page.index("/active") < page.index("History") < page.index("/ended")
