"""What `routes explain` prints, as text and as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml

from canary_analyzer.cli.manifests import Manifest, read
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable, metadata_of, title
from canary_analyzer.routing.explain import Explanation, Outcome, api_of, explain
from canary_analyzer.routing.question import Answer, Question, answer
from canary_analyzer.routing.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Everything that the command has found out."""

    manifests: tuple[Manifest, ...]
    question: Question
    weight: int
    answer: Answer | None = None
    explanations: tuple[Explanation, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why the question has no answer."""

    def count(self, outcome: Outcome) -> int:
        """How many documents came out so."""
        return sum(each.outcome is outcome for each in self.explanations)

    @property
    def code(self) -> int:
        """Exit code of the command."""
        if not any(api_of(document) for manifest in self.manifests for document in manifest.documents):
            return 2
        refused = self.problems or self.count(Outcome.REFUSED) or any(manifest.mistakes for manifest in self.manifests)
        return 1 if refused else 0


def outcome(files: Sequence[Path], question: Question, weight: int) -> Explained:
    """Read the files and explain their routes."""
    manifests = tuple(read(file) for file in files)
    documents = [document for manifest in manifests for document in manifest.documents]
    found = Explained(manifests=manifests, question=question, weight=weight)
    try:
        answered = answer(documents, question)
    except Unroutable as error:
        explanations = tuple(_unanswered(each, error.problems) for each in documents if api_of(each) is not None)
        return replace(found, explanations=explanations, problems=error.problems)
    explanations = tuple(explain(documents, answered.target, Traffic(weight=weight)))
    return replace(found, answer=answered, explanations=explanations)


def _unanswered(document: Document, problems: Sequence[Problem]) -> Explanation:
    """A document while it is not known what is meant: refused where it is a reason for that."""
    name = metadata_of(document).get("name")
    mine = tuple(p for p in problems if p.object.startswith(str(document["kind"])) and p.object.endswith(f"/{name}"))
    return Explanation(document=document, outcome=Outcome.REFUSED if mine else Outcome.UNRELATED, problems=mine)


def as_json(explained: Explained) -> str:
    """One object: counts, the target, every route document with its edits or problems, and the files' mistakes."""
    target = explained.answer.target if explained.answer is not None else None
    return json.dumps(
        {
            "weight": explained.weight,
            "target": asdict(target) if target is not None else None,
            "assumptions": explained.answer.assumptions if explained.answer is not None else [],
            "edited": explained.count(Outcome.EDITED),
            "refused": explained.count(Outcome.REFUSED),
            "unrelated": explained.count(Outcome.UNRELATED),
            "routes": [_route(each, explained) for each in explained.explanations],
            "problems": [asdict(problem) for problem in explained.problems],
            "files": [
                {"file": m.file, "documents": len(m.documents), "mistakes": m.mistakes} for m in explained.manifests
            ],
        },
        indent=2,
    )


def as_text(explained: Explained) -> str:
    """For people: every route document with its diff or its problems, then the counts."""
    lines = [f"{manifest.file}: {mistake}" for manifest in explained.manifests for mistake in manifest.mistakes]
    told = {problem for each in explained.explanations for problem in each.problems}
    lines += [str(problem) for problem in explained.problems if problem not in told]
    lines += [f"Assumed: {each}" for each in (explained.answer.assumptions if explained.answer is not None else ())]
    for each in explained.explanations:
        lines += ["", *_told(each, explained)]
    if explained.code == 2:
        lines.append("There is no VirtualService and no HTTPRoute in these files.")
    else:
        named = f"; {_named(explained.answer.target)}" if explained.answer is not None else ""
        lines += ["", ", ".join(f"{explained.count(outcome)} {outcome.value}" for outcome in Outcome) + named]
    return "\n".join(lines).lstrip("\n")


def _named(target: Target) -> str:
    subset = f" subset {target.canary_subset}" if target.canary_subset else ""
    return f"stable is {target.stable} in {target.namespace}, canary {target.canary}{subset}"


def _route(explanation: Explanation, explained: Explained) -> dict[str, Any]:
    return {
        "file": _file(explanation.document, explained),
        "object": _title(explanation.document, explained),
        "outcome": explanation.outcome.value,
        "edited": explanation.edited,
        "diff": "\n".join(_diff(explanation)),
        "after": explanation.desired,
        "problems": [asdict(problem) for problem in explanation.problems],
    }


def _told(explanation: Explanation, explained: Explained) -> Iterator[str]:
    where = f"{_title(explanation.document, explained)} ({_file(explanation.document, explained)})"
    match explanation.outcome:
        case Outcome.UNRELATED:
            yield f"{where}: goes elsewhere, left alone"
        case Outcome.REFUSED:
            yield f"{where}: refused"
            yield from (f"  {problem.path}: {problem.reason}. {problem.remedy}" for problem in explanation.problems)
        case Outcome.EDITED:
            yield f"{where}: {', '.join(explanation.edited) or 'as it is'} at {explained.weight} %"
            yield from _diff(explanation)


def _diff(explanation: Explanation) -> Iterator[str]:
    if explanation.desired is None:
        return
    before, after = (
        yaml.safe_dump(each, sort_keys=False).splitlines() for each in (explanation.document, explanation.desired)
    )
    yield from unified_diff(before, after, "now", "then", lineterm="")


def _file(document: Document, explained: Explained) -> str:
    return next(m.file for m in explained.manifests if any(each is document for each in m.documents))


def _title(document: Document, explained: Explained) -> str:
    namespace = explained.answer.target.namespace if explained.answer is not None else explained.question.namespace
    return title(document, namespace or "default")
