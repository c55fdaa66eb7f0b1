"""A run's whole story as plain text, for a terminal."""

from collections.abc import Iterator
from textwrap import indent, wrap

from canary_analyzer.report import words
from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Story
from canary_analyzer.rollout.texts import plain

WIDTH = 100
HARD = "\N{NO-BREAK SPACE}"


def explain(run: Run, story: Story) -> str:
    """Return what happened to a run, why, and what to do next; nothing in it can steer a terminal."""
    sections = [_head(run), _section("Why", _filled(run.reason or "It has just begun.")), _next(run)]
    sections += [_judged(run, story), _timeline(run), _findings(story)]
    return plain("\n\n".join(filter(None, sections)) + "\n")


def _head(run: Run) -> str:
    verdict = f", verdict {run.verdict}" if run.verdict else ""
    end = words.ended(run)
    lasted = f", ended {words.time(end)} after {words.duration(end - run.started)}" if end is not None else ""
    return "\n".join(
        (
            f"{run.name}: {run.phase}{verdict}",
            f"Deployment {run.namespace}/{run.deployment}, strategy {run.strategy}, weight {run.weight} %",
            words.versions(run),
            f"Started {words.time(run.started)}{lasted}",
        )
    )


def _next(run: Run) -> str:
    return _section("What now", _filled(what_now(run)))


def _judged(run: Run, story: Story) -> str:
    return _section(
        "What the judge has seen", "\n".join(line for each in words.metrics(run, story) for line in _metric(each))
    )


def _metric(metric: words.Metric) -> Iterator[str]:
    yield (
        f"{metric.name}: {metric.effect} (95 % interval {metric.interval}) over {metric.requests} requests of canary "
        f"and baseline; evidence against {metric.against}, for {metric.favour} (1 decides)"
    )
    yield indent(_filled(metric.reason), "  ")


def _timeline(run: Run) -> str:
    lines = (f"{words.clock(each.at)}  {each.phase:<17} {each.weight:3d} %  {each.text}" for each in run.timeline)
    return _section("What happened (UTC)", "\n".join(lines))


def _findings(story: Story) -> str:
    found = (f"{each.about}\n{indent(each.text, '  ')}" for each in story.findings)
    return _section("Found at the pods", "\n".join(found))


def _section(title: str, body: str) -> str:
    return f"{title}\n{indent(body, '  ')}" if body else ""


def _filled(text: str) -> str:
    """Break into lines, but not what stands between backticks: commands are there to be pasted."""
    parts = (part.replace(" ", HARD) if odd % 2 else part for odd, part in enumerate(text.split("`")))
    return "\n".join(wrap("`".join(parts), WIDTH, break_long_words=False, break_on_hyphens=False)).replace(HARD, " ")
