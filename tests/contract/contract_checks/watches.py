"""What a watch tells, in which order, and how it ends."""

from typing import Any

import pytest

from contract_checks.api import Api
from contract_checks.documents import MERGE, TABLE, config_map, version, with_deployment

Document = dict[str, Any]


def kinds(events: list[Document]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def a_watch_tells_what_happened_since(api: Api) -> None:
    listed = api.ok("GET", api.deployment(""))
    with_deployment(api)
    api.ok("PATCH", api.deployment(), {"spec": {"replicas": 2}}, MERGE)
    api.ok("DELETE", api.deployment())
    events = api.watch(api.deployment(""), lambda events: len(events) == 3, resourceVersion=version(listed))
    assert kinds(events) == [("ADDED", "app"), ("MODIFIED", "app"), ("DELETED", "app")]
    versions = [int(version(event["object"])) for event in events]
    assert versions == sorted(set(versions))


def a_watch_without_a_version_begins_with_what_is(api: Api) -> None:
    with_deployment(api)
    events = api.watch(api.deployment(""), lambda events: len(events) == 1)
    assert kinds(events) == [("ADDED", "app")]


def leaving_a_selection_is_told_as_deletion(api: Api) -> None:
    listed = api.ok("GET", api.path("configmaps"))
    api.ok("POST", api.path("configmaps"), config_map("a", {"in": "yes"}))
    api.ok("PATCH", api.path("configmaps", "a"), {"metadata": {"labels": {"in": "no"}}}, MERGE)
    api.ok("PATCH", api.path("configmaps", "a"), {"metadata": {"labels": {"in": "yes"}}}, MERGE)
    query = {"resourceVersion": version(listed), "labelSelector": "in=yes"}
    events = api.watch(api.path("configmaps"), lambda events: len(events) == 3, **query)
    assert kinds(events) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


def a_watch_ends_when_its_time_is_over(api: Api) -> None:
    listed = api.ok("GET", api.deployment(""))
    assert api.watch(api.deployment(""), lambda _: False, seconds=1, resourceVersion=version(listed)) == []


def a_watch_list_ends_its_beginning_with_a_bookmark(api: Api) -> None:
    with_deployment(api)
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    events = api.watch(api.deployment(""), lambda events: events[-1].get("type") != "ADDED", **query)
    if events[0].get("reason") == "Invalid":
        pytest.skip("this server has no streaming lists")
    assert kinds(events) == [("ADDED", "app"), ("BOOKMARK", "")]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def a_watch_can_come_as_tables(api: Api) -> None:
    listed = api.ok("GET", api.deployment(""))
    with_deployment(api)
    query = {"resourceVersion": version(listed), "watch": "true", "timeoutSeconds": "1"}
    answer = api.get(api.deployment(""), accept=TABLE, **query)
    assert (answer.body["type"], answer.body["object"]["kind"]) == ("ADDED", "Table")
    assert answer.body["object"]["rows"][0]["cells"][0] == "app"
