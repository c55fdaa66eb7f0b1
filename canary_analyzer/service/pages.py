"""The status page: the list of runs and a page per run; nothing here writes."""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.records import Record
from canary_analyzer.report.links import LinkTemplate, links_of
from canary_analyzer.report.page import Setting, list_page, run_page, trouble_page
from canary_analyzer.service.archive import Archive

LIVE = "/live.js"
RUN_PATH = re.compile(r"/runs/(?P<namespace>[a-z0-9-]{1,63})/(?P<name>[a-z0-9.-]{1,253})")
DRAWN = 32
"""Pages of runs that are kept drawn; one takes about 150 kB."""
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Page:
    """An answer."""

    body: bytes
    status: str = "200 OK"
    content_type: str = HTML


class Pages:
    """Pages by path. Safe to use from several threads; a page is drawn once for each state of its run."""

    def __init__(self, archive: Archive, links: Sequence[LinkTemplate], clock: Callable[[], float]) -> None:
        self._archive, self._links, self._clock = archive, links, clock
        self._drawing = threading.Lock()  # matplotlib's settings belong to the process
        self._drawn = lru_cache(maxsize=DRAWN)(self._draw)

    def link(self, links: Sequence[LinkTemplate]) -> None:
        """Show these links from now on."""
        self._links = links
        self._drawn.cache_clear()

    def get(self, path: str) -> Page | None:
        """Return the page at a path; None where there is none."""
        if path == "/":
            return Page(body=self._list())
        if path == LIVE:
            return Page(body=_live(), content_type="text/javascript; charset=utf-8")
        found = RUN_PATH.fullmatch(path)
        return self._run(found["namespace"], found["name"]) if found else None

    def _list(self) -> bytes:
        listed = self._archive.listed()
        rows = [(run, f"/runs/{run.namespace}/{run.name}") for run in listed.runs.values()]
        setting = Setting(as_of=self._clock(), home="/", live=LIVE, trouble=listed.trouble)
        return list_page(rows, setting).encode()

    def _run(self, namespace: str, name: str) -> Page | None:
        try:
            record = self._archive.record(namespace, name)
        except ClusterError as error:
            setting = Setting(as_of=self._clock(), home="/", live=LIVE, trouble=str(error))
            return Page(body=trouble_page(setting).encode(), status="503 Service Unavailable")
        if record is None:
            return None
        with self._drawing:
            return Page(body=self._drawn(_Drawing(record)))

    def _draw(self, drawing: "_Drawing") -> bytes:
        record, now = drawing.record, self._clock()
        links = links_of(self._links, record.run, now)
        return run_page(record.run, record.story, Setting(as_of=now, home="/", live=LIVE, links=links)).encode()


class _Drawing:
    """A run to draw, equal to another where it has not changed."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._state = (record.run.namespace, record.run.uid, record.run.name, record.version, record.story.ticks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Drawing) and self._state == other._state

    def __hash__(self) -> int:
        return hash(self._state)


@lru_cache
def _live() -> bytes:
    return (files("canary_analyzer.report") / "templates" / "live.js").read_bytes()
