"""Replicas over the API emulator: they share, hand over, and write nothing that is not theirs."""

import time

import pytest

from canary_analyzer.cluster import leases
from canary_analyzer.cluster.client import CONFIGMAPS
from canary_analyzer.service.replicas import Replicas, Unclaimed

LEASE = 2.0
KEYS = [("shop", f"app-{number}") for number in range(20)]
PATIENCE = 30.0


@pytest.fixture
def come(cluster):
    """Start a replica; whatever is left of it is taken away after the test."""
    started = []

    def come(name):
        replica = Replicas(cluster, "default", name, LEASE)
        replica.start(lambda: None)
        started.append(replica)
        return replica

    yield come
    for replica in started:
        replica.release()


def of(replica):
    return {key for key in KEYS if replica.owns(key)}


def eventually(check):
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


def test_two_share_all_runs_and_none_has_two_owners_while_they_do(come):
    one = come("one")
    eventually(lambda: of(one) == set(KEYS))
    other = come("other")

    def shared():
        theirs = of(other)
        mine = of(one)
        assert not mine & theirs
        return mine and theirs and mine | theirs == set(KEYS)

    eventually(shared)


def test_one_that_ends_in_peace_is_replaced_before_its_lease_would_run_out(come, cluster):
    one, other = come("one"), come("other")
    eventually(lambda: of(one) and of(other) and of(one) | of(other) == set(KEYS))
    one.release()
    assert of(one) == set()
    eventually(lambda: of(other) == set(KEYS))
    assert len(leases.listed(cluster, "default")) == 1


def test_what_is_not_its_own_it_does_not_write(come, cluster):
    one = come("one")
    eventually(lambda: of(one) == set(KEYS))
    fenced = cluster.fenced(lambda: one.require(KEYS[0]))
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": "default"}}
    fenced.create(CONFIGMAPS, note)
    one.release()
    with pytest.raises(Unclaimed, match="shop/app-0"):
        fenced.delete(CONFIGMAPS, "default", "note")
    assert fenced.find(CONFIGMAPS, "default", "note"), "it can still look"


def test_one_whose_lease_is_taken_away_comes_back_as_another(come, cluster):
    one = come("one")
    eventually(lambda: of(one) == set(KEYS))
    (name,) = leases.listed(cluster, "default")
    leases.release(cluster, "default", name)
    eventually(lambda: set(leases.listed(cluster, "default")) - {name})
    eventually(lambda: of(one) == set(KEYS))
