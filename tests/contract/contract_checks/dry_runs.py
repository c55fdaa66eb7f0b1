"""A dry run answers like the real thing and leaves no trace."""

from contract_checks.api import Api
from contract_checks.documents import MERGE, deployment, refused, version, with_deployment


def a_dry_run_changes_nothing(api: Api) -> None:
    assert api.ok("POST", api.deployment(""), deployment(), dryRun="All")["metadata"]["uid"]
    assert api.send("GET", api.deployment()).status == 404
    first = with_deployment(api)
    dry = api.ok("PATCH", api.deployment(), {"spec": {"replicas": 9}}, MERGE, dryRun="All")
    assert dry["spec"]["replicas"] == 9
    api.ok("DELETE", api.deployment(), dryRun="All")
    assert version(api.ok("GET", api.deployment())) == version(first)


def a_dry_run_is_validated(api: Api) -> None:
    answer = api.send("POST", api.deployment(""), deployment(replicas=-1), dryRun="All")
    refused(answer, 422, "Invalid", "spec.replicas")
