"""The part of a policy that the judge is told, read from configuration with every mistake at once.

pydantic builds nested dataclasses from the inside out and stops at the first that refuses to be, so that a wrong
`errors` would hide a wrong `alpha`. Here all values are read first; then every level is asked for its mistakes.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from canary_analyzer.analysis import Policy

Path = tuple[int | str, ...]
NO_SUCH_FIELD = "there is no such field; remove it or correct its spelling"


def read(given: object) -> object:
    """Return the analysis policy that the mapping `given` describes; what is no mapping is left to pydantic.

    Raises:
        ValidationError: pydantic's, with every mistake of every level and its path.
    """
    if not isinstance(given, Mapping):
        return given
    policy, wrong = _read(Policy, {name: value for name, value in given.items() if name != "metrics"}, ())
    if given.get("metrics"):  # they come with queries, which the judge knows nothing of
        wrong.append(_worded("put metrics beside `analysis`, not inside: each has its queries", ("metrics",), {}))
    if wrong:
        raise ValidationError.from_exception_data("analysis", wrong)
    return policy


Analysis = Annotated[Policy, BeforeValidator(read)]
"""`analysis.Policy` as a field of a pydantic model."""


def _read(kind: type[Any], given: Mapping[str, object], path: Path) -> tuple[Any, list[InitErrorDetails]]:
    """Return an instance of the dataclass `kind` and all that is wrong with it; its own checks have not refused it."""
    whole = object.__new__(kind)  # not kind(...), which would refuse before the other levels have been read
    defaults, hints = vars(kind()), _hints(kind)  # type: ignore[arg-type]  # mypy takes no class for hashable
    wrong = [_unknown(name, given[name], path) for name in given if name not in defaults]
    mistyped: dict[str, list[InitErrorDetails]] = {}
    for name, value in defaults.items():
        inner = given.get(name, value)
        if is_dataclass(value) and isinstance(inner, Mapping):
            inner, deeper = _read(type(value), inner, (*path, name))
            wrong += deeper
        elif name in given:
            inner, mistyped[name] = _typed(hints[name], inner, (*path, name))
        object.__setattr__(whole, name, inner)
    mistakes = [(name, text) for name, _, text in (mistake.partition(": ") for mistake in whole.mistakes())]
    wrong += [_worded(text, (*path, name), getattr(whole, name, given)) for name, text in mistakes]
    told = {name for name, _ in mistakes}
    return whole, wrong + [item for name, items in mistyped.items() if name not in told for item in items]


def _typed(hint: Any, given: object, path: Path) -> tuple[object, list[InitErrorDetails]]:
    """Return the value as its type wants it, or as it was given with what pydantic has to say to it."""
    try:
        return _adapter(hint).validate_python(given), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        return given, [_worded(item["msg"], (*path, *item["loc"]), item["input"]) for item in errors]


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)  # as slow as all the rest of reading a policy, and each record holds one


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _unknown(name: str, value: object, path: Path) -> InitErrorDetails:
    return _worded(NO_SUCH_FIELD, (*path, name), value)


def _worded(text: str, path: Path, value: object) -> InitErrorDetails:
    message = text.removeprefix(f"value {value!r}: ")
    return InitErrorDetails(type=PydanticCustomError("value_error", "{text}", {"text": message}), loc=path, input=value)
