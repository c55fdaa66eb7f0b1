"""Selection, pages, tables."""

from contract_checks.api import Api
from contract_checks.documents import TABLE, config_map, names, pod, refused, version, with_deployment


def with_config_maps(api: Api) -> None:
    for name, tier in (("a", "front"), ("b", "back"), ("c", "")):
        api.ok("POST", api.path("configmaps"), config_map(name, {"check": "1", **({"tier": tier} if tier else {})}))


def lists_are_selected_by_label(api: Api) -> None:
    with_config_maps(api)
    for selector, expected in {
        "tier=front": ["a"],
        "tier==back,check=1": ["b"],
        "check,tier!=front": ["b", "c"],
        "tier in (front, back)": ["a", "b"],
        "check=1,tier notin (front)": ["b", "c"],
        "check,!tier": ["c"],
        "tier": ["a", "b"],
        "check=2": [],
    }.items():
        assert names(api.ok("GET", api.path("configmaps"), labelSelector=selector)) == expected, selector


def a_bad_label_selector_is_a_bad_request(api: Api) -> None:
    assert api.send("GET", api.path("configmaps"), labelSelector="a in b").status == 400


def lists_are_selected_by_field(api: Api) -> None:
    for name, node in (("a", "n1"), ("b", "n2")):
        api.ok("POST", api.path("pods"), pod(name, nodeName=node))
    assert names(api.ok("GET", api.path("pods"), fieldSelector="metadata.name=a")) == ["a"]
    assert names(api.ok("GET", api.path("pods"), fieldSelector="spec.nodeName!=n1,status.phase=Pending")) == ["b"]


def an_unsupported_field_is_a_bad_request(api: Api) -> None:
    answer = api.send("GET", api.path("pods"), fieldSelector="spec.hostname=b")
    refused(answer, 400, "BadRequest", "field label not supported")


def lists_come_in_pages_of_one_snapshot(api: Api) -> None:
    with_config_maps(api)
    query = {"limit": "2", "labelSelector": "check"}
    first = api.ok("GET", api.path("configmaps"), **query)
    assert names(first) == ["a", "b"]
    api.ok("DELETE", api.path("configmaps", "c"))
    second = api.ok("GET", api.path("configmaps"), **{**query, "continue": first["metadata"]["continue"]})
    assert (names(second), version(second)) == (["c"], version(first))
    assert "continue" not in second["metadata"]


def a_list_spans_namespaces(api: Api) -> None:
    api.ok("POST", api.path("configmaps"), config_map("everywhere", {"check": api.namespace}))
    listed = api.ok("GET", "/api/v1/configmaps", labelSelector=f"check={api.namespace}")
    assert (names(listed), listed["kind"]) == (["everywhere"], "ConfigMapList")


def a_table_is_made_for_kubectl(api: Api) -> None:
    with_deployment(api)
    table = api.get(api.deployment(""), accept=TABLE).body
    columns = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert (table["kind"], columns) == ("Table", ["Name", "Ready", "Up-to-date", "Available", "Age"])
    assert table["rows"][0]["cells"][:4] == ["app", "0/1", 0, 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
