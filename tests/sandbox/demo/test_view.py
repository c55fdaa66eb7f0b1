"""What a person sees while the demo runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from canary_analyzer.sandbox.demo.outcome import Load
from canary_analyzer.sandbox.demo.screen import Screen
from canary_analyzer.sandbox.demo.view import Arm, Evidence, Scene, line, picture

NOTHING = Scene(image="flask-app:v2")
FULL = Scene(
    image="flask-app:v2-errors",
    phase="Analysing",
    reason="10 % of requests are for the canary",
    seconds=17.4,
    wanted=25,
    baseline=Arm(rate=75, error_rate=0, p50_ms=12, p99_ms=48),
    canary=Arm(rate=25, error_rate=2.5, p50_ms=12.4, p99_ms=51),
    evidence=(Evidence(metric="errors", against=0.81, in_favour=-1.2), Evidence(metric="latency_p50", in_favour=0.3)),
    load=Load(sent=1740, lost=0),
)


def drawn(scene):
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(picture(scene))
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        pytest.param(
            NOTHING,
            "flask-app:v2   0 s waiting: weight - %, observed - % | baseline -/s, - % errors, p50 - ms, p99 - ms | "
            "canary -/s, - % errors, p50 - ms, p99 - ms | evidence against/for: - | no load yet",
            id="nothing known yet",
        ),
        pytest.param(
            FULL,
            "flask-app:v2-errors  17 s Analysing: weight 25 %, observed 25 % | "
            "baseline 75.0/s, 0.0 % errors, p50 12 ms, p99 48 ms | "
            "canary 25.0/s, 10.0 % errors, p50 12 ms, p99 51 ms | "
            "evidence against/for: errors +0.81/-1.20, latency_p50 +0.00/+0.30 | 0 of 1,740 requests lost",
            id="everything known",
        ),
    ],
)
def test_without_a_terminal_a_scene_is_one_line(scene, expected):
    assert line(scene) == expected


@pytest.mark.parametrize(
    "text",
    [
        "flask-app:v2-errors  Analysing  17 s",
        "75.0",
        "10.0 %",
        "51 ms",
        "+0.81",
        "-1.20",
        "latency_p50",
        FULL.reason,
        "0 of 1,740",
    ],
)
def test_in_a_terminal_the_picture_has_all_figures(text):
    assert text in drawn(FULL)


def test_a_picture_of_nothing_can_be_drawn():
    assert "waiting" in drawn(NOTHING)


def test_lines_appear_at_each_change_of_phase_and_every_few_seconds():
    console = Console(file=io.StringIO(), width=300, force_terminal=False)
    with Screen(console) as screen:
        for phase, seconds in (("", 0), ("", 1), ("Starting", 2), ("Starting", 4), ("Starting", 5), ("Starting", 6)):
            screen.show(Scene(image="v2", phase=phase, seconds=seconds))
    assert [shown.split(":")[0] for shown in console.file.getvalue().splitlines()] == [
        "v2   0 s waiting",
        "v2   2 s Starting",
        "v2   5 s Starting",
    ]


def test_in_a_terminal_what_is_said_stays_and_the_picture_goes():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with Screen(console) as screen:
        screen.show(FULL)
        screen.say("flask-app:v2: Succeeded")
    assert "Analysing" in console.file.getvalue()
    assert "flask-app:v2: Succeeded" in console.file.getvalue()
