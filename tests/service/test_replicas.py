"""Replicas over the API emulator: they share, hand over, and write nothing that is not theirs."""

import time

import pytest
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster import leases
from canary_analyzer.cluster.client import CONFIGMAPS
from canary_analyzer.sandbox.faults import UNAVAILABLE, Refuse, Rule, Slow
from canary_analyzer.service.health import Health
from canary_analyzer.service.replicas import Replicas, Unclaimed

LEASE = 4.0
"""A fifth of it is what a request may take, and what is left for another try."""
KEYS = [("shop", f"app-{number}") for number in range(20)]
PATIENCE = 30.0


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def health(registry):
    return Health(registry)


@pytest.fixture
def come(cluster, health):
    """Start a replica; whatever is left of it is taken away after the test."""
    started = []

    def come(name, api=cluster, lease=LEASE, on_change=lambda: None):
        replica = Replicas(api, "default", name, lease, health)
        replica.thread(on_change).start()
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


def test_it_is_said_to_work_while_it_has_a_lease_that_counts(come, proxy, registry, health):
    refused = Rule(action=Refuse(status=403, reason="Forbidden"), path="/leases")
    one = come("one", proxy.client, lease=0.5)
    health.show(one.is_working, lambda: 0.0)

    def working():
        return registry.get_sample_value("canary_analyzer_working")

    eventually(lambda: working() == 1)
    proxy.play(refused)
    eventually(lambda: working() == 0)
    proxy.play()
    eventually(lambda: working() == 1)


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
    assert len([*filter(None, leases.listed(cluster, "default").values())]) == 1
    other.release()
    assert not leases.listed(cluster, "default"), "the last one leaves nothing behind"


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
    leases.take_away(cluster, "default", name)
    eventually(lambda: set(leases.listed(cluster, "default")) - {name})
    eventually(lambda: of(one) == set(KEYS))


def test_an_answer_that_comes_too_late_does_not_bring_a_lease_back(come, cluster, proxy, registry):
    """In between its runs were let go, or taken over; under a new name it takes them up again."""
    one = come("one", proxy.client)
    eventually(lambda: of(one) == set(KEYS))
    (name,) = leases.listed(cluster, "default")
    proxy.play(
        Rule(action=UNAVAILABLE, methods=("PATCH",), times=1),
        Rule(action=Slow(seconds=0.15 * LEASE), methods=("PATCH",), skip=1, times=1),
        Rule(action=Slow(seconds=0.15 * LEASE), methods=("GET",), times=1),
    )
    eventually(lambda: registry.get_sample_value("canary_analyzer_leases_lost_total") == 1)
    eventually(lambda: of(one) == set(KEYS))
    assert leases.listed(cluster, "default")[name] == leases.GIVEN_UP


def test_a_renewal_that_hangs_is_tried_again_before_the_lease_is_lost(come, cluster, proxy, registry):
    one = come("one", proxy.client)
    eventually(lambda: of(one) == set(KEYS))
    before = leases.listed(cluster, "default")
    proxy.play(Rule(action=Slow(seconds=60), methods=("PATCH",), times=1))
    eventually(lambda: proxy.fired)
    eventually(lambda: leases.listed(cluster, "default") != before)
    assert leases.listed(cluster, "default").keys() == before.keys()
    assert registry.get_sample_value("canary_analyzer_leases_lost_total") == 0


def test_a_defect_of_ours_does_not_end_the_renewals_and_is_counted(come, cluster, registry):
    one = come("one", on_change=broken)
    eventually(lambda: registry.get_sample_value("canary_analyzer_defects_total") >= 1)
    before = leases.listed(cluster, "default")
    eventually(lambda: leases.listed(cluster, "default") != before)
    eventually(lambda: of(one) == set(KEYS))


def broken():
    raise LookupError("a defect")
