"""What the rig of the benchmarks keeps of who wrote what."""

import threading

import pytest

from canary_analyzer.cluster.client import CONFIGMAPS, VIRTUAL_SERVICES, Cluster
from canary_analyzer.cluster.errors import Conflict
from tests.benchmarks.rig.world import app_of, world


def test_a_write_is_kept_with_its_writer_be_it_a_creation_and_one_that_was_refused_is_not(tmp_path):
    app = app_of(7)
    with world(tmp_path) as place:
        place.add(app)
        replica = Cluster.connect(place.kubeconfig("replica-1"))
        record = {"metadata": {"name": f"canary-run-{app[1]}-1", "namespace": app[0]}, "data": {}}
        replica.create(CONFIGMAPS, record)
        with pytest.raises(Conflict):
            replica.create(CONFIGMAPS, record)
        replica.get(VIRTUAL_SERVICES, *app)
        replica.merge(VIRTUAL_SERVICES, *app, {"metadata": {"labels": {"seen": "yes"}}})
        replica.delete(CONFIGMAPS, app[0], record["metadata"]["name"])
        assert [(write.replica, write.app) for write in place.writes] == 3 * [("replica-1", app)]


def test_a_world_that_is_over_has_nobody_left_who_would_write_to_the_next_server_at_its_port(tmp_path):
    with world(tmp_path) as place:
        place.add(app_of(7))
    assert "controller" not in {thread.name for thread in threading.enumerate()}
