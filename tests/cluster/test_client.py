"""The client over the API emulator."""

from canary_analyzer.cluster.client import CONFIGMAPS, PAGE


def test_what_may_be_large_is_asked_for_in_pieces_and_comes_whole(cluster):
    names = [f"record-{number:03}" for number in range(2 * PAGE + 1)]
    for name in names:
        metadata = {"name": name, "namespace": "default", "labels": {"kind": "record"}}
        cluster.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    taken = []
    for document in cluster.each(CONFIGMAPS, "", "kind=record"):
        if not taken:
            cluster.delete(CONFIGMAPS, "default", names[-1])  # what comes is how it was at the first request
        taken.append(document["metadata"]["name"])
    assert taken == names
    assert len(list(cluster.each(CONFIGMAPS, "default", "kind=record"))) == 2 * PAGE
