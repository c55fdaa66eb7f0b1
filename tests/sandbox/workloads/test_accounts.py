from canary_analyzer.sandbox.workloads import accounts


def namespace(name, **metadata):
    return {"metadata": {"name": name, **metadata}}


def test_every_namespace_gets_the_account_that_pods_are_refused_without():
    known = {("default", "default"), ("lonely", "other")}
    writes = accounts.plan([namespace("default"), namespace("lonely")], known)
    assert [write.document["metadata"] for write in writes] == [{"name": "default", "namespace": "lonely"}]


def test_a_namespace_on_its_way_out_gets_none():
    assert accounts.plan([namespace("going", deletionTimestamp="2026-01-01T00:00:00Z")], set()) == []
