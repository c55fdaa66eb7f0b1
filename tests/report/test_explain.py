from canary_analyzer.report.explain import explain
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Moment
from canary_analyzer.rollout.story import Arms, Figures, Finding, Sample, Story

REASON = "errors worse than tolerated: 10 % of 200 canary requests failed, 1 % of 900 baseline requests"


def story():
    figures = Figures(1.2, -0.5, 0.09, 0.03, None)
    return Story(
        metrics=("errors",),
        reasons=(REASON,),
        requests=(Arms(200, 900),),
        findings=(Finding(at=60.0, about="Pod app-canary-x, container app", text="restarted 2 times\x1b[2J"),),
    ).with_samples([Sample(at=50.0, weight=10, metrics=(figures,))])


def aborted(make):
    moments = (Moment(at=45.0, phase=Phase.ABORTED, weight=0, text=REASON),)
    fields = {"phase": Phase.ABORTED, "cause": Cause.JUDGED_WORSE, "verdict": "abort", "reason": REASON}
    return make.run(**fields, timeline=moments)


def test_it_tells_what_happened_why_on_which_figures_and_what_to_do(make):
    told = explain(aborted(make), story())
    for words in (
        "app-1: Aborted, verdict abort",
        "app: app:v1 → app:v2",
        "after 45 s",
        "+9.00 points (95 % interval +3.00 points or more) over 200 and 900 requests",
        "evidence against 1.20, for -0.50",
        "restarted 2 times",
    ):
        assert words in told
    assert told.index("Why") < told.index("What now") < told.index("What happened") < told.index("Found at the pods")


def test_a_command_stays_on_one_line(make):
    command = "`kubectl annotate deployment/app -n default --overwrite canary-analyzer.io/image=app:v2`"
    assert command in explain(aborted(make), story())


def test_nothing_in_it_steers_a_terminal(make):
    assert "\x1b" not in explain(aborted(make), story())


def test_a_run_that_has_just_begun_has_a_story_too(make):
    assert "It has just begun." in explain(make.run(), Story())
