"""Runs shared out anew among the replicas: those that are others' now are let go, those that are ours taken up."""

import time
from collections.abc import Callable, Sequence

import structlog

from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.service.agenda import Agenda

log = structlog.get_logger()

RETRY_SECONDS = 2.0


class Sharing:
    """Takes up what other replicas have left, wherever it can be read, and tries again where it cannot.

    Args:
        agenda: does it.
        let_go: lets go of runs that are others' now.
        looks: each takes up what is ours in some namespaces, or raises.
        on_defect: called when one fails by a defect of ours.
    """

    def __init__(
        self,
        agenda: Agenda,
        let_go: Callable[[], None],
        looks: Sequence[Callable[[], object]],
        on_defect: Callable[[], None],
    ) -> None:
        self._agenda, self._let_go, self._looks, self._on_defect = agenda, let_go, looks, on_defect
        self._asked: object = None
        """Stands for the last time that it was asked."""

    def ask(self) -> None:
        """Do all of it soon."""
        self._asked = object()
        self._plan()

    def _plan(self) -> None:
        self._agenda.once("share out", self._share_out, (), time.time())

    def _share_out(self) -> None:
        asked = self._asked
        self._let_go()
        self._take_up(self._looks)
        if self._asked is not asked:
            self._plan()  # the agenda does a few at a time, and leaves out what is asked for while these hang

    def _take_up(self, looks: Sequence[Callable[[], object]]) -> None:
        if failed := [look for look in looks if not self._is_done(look)]:
            self._agenda.once("take up", self._take_up, (failed,), time.time() + RETRY_SECONDS)

    def _is_done(self, look: Callable[[], object]) -> bool:
        try:
            look()
        except ClusterError as error:
            log.warning("what other replicas have left could not be read, trying again", error=str(error))
        except Exception:
            log.exception("what other replicas have left could not be taken up by a defect of ours, trying again")
            self._on_defect()
        else:
            return True
        return False
