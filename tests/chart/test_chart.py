"""The chart, rendered by real helm from many values, each object checked against Kubernetes' own schemas."""

import json
import tarfile
from functools import cache

import kubernetes_validate
import pytest
import yaml

from canary_analyzer import __version__
from canary_analyzer.service.reload import AT_START
from canary_analyzer.service.serve import LEASE_SECONDS, PASSES_SECONDS
from canary_analyzer.service.settings import ServiceSettings

USERS = [
    {"kind": "Group", "name": "shop-developers", "apiGroup": "rbac.authorization.k8s.io"},
    {"kind": "ServiceAccount", "name": "release-pipeline", "namespace": "ci"},
]
VALUES = {
    "defaults": {},
    "one replica": {"replicaCount": 1},
    "several namespaces": {"namespaces": ["shop", "pay", "istio-ingress"]},
    "cluster-wide": {"clusterWide": True},
    "reads all routes": {"readRoutesEverywhere": True},
    "reads all HTTPRoutes": {"readRoutesEverywhere": True, "config": {"routing": "gateway-api"}},
    "HTTPRoutes": {"config": {"routing": "gateway-api", "prometheus": {"dialect": "linkerd"}}},
    "Prometheus Operator": {
        "serviceMonitor": {"enabled": True, "interval": "5s", "labels": {"release": "kube-prometheus-stack"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "kube-prometheus-stack"}},
    },
    "Grafana": {"dashboards": {"enabled": True, "annotations": {"grafana_folder": "Canaries"}}},
    "network policy": {"networkPolicy": {"enabled": True}},
    "network policy with peers": {
        "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]}
    },
    "FlowSchema": {"flowSchema": {"enabled": True}},
    "token in a file": {
        "config": {"prometheus": {"url": "https://prometheus:9090", "token_file": "/secrets/token"}},
        "extraVolumes": [{"name": "token", "secret": {"secretName": "prometheus"}}],
        "extraVolumeMounts": [{"name": "token", "mountPath": "/secrets", "readOnly": True}],
    },
    "own profile": {
        "config": {
            "profiles": {"night": {"steps": [{"weight": 5}, {"approval": True}, {"weight": 50}], "tick_seconds": 20}}
        }
    },
    "ServiceAccount that is there": {"serviceAccount": {"create": False, "name": "canaries"}},
    "without uninstall hook": {"uninstall": {"abortRuns": False}},
    "image by digest": {
        "image": {"repository": "registry.example/canary-analyzer", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
    },
    "placement": {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["infra"]}]}
                    ]
                }
            }
        },
        "priorityClassName": "system-cluster-critical",
    },
    "labels and annotations": {"podLabels": {"team": "platform"}, "podAnnotations": {"a.example/b": "yes: really"}},
    "OpenShift": {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
    "other names": {"nameOverride": "canaries", "fullnameOverride": "the-canaries"},
    "no logs": {"config": {"read_logs": False}},
    "users": {"namespaces": ["shop", "pay"], "users": USERS},
    "users of all namespaces": {"clusterWide": True, "users": USERS},
}

REFUSED = {
    "unknown value": ({"replicas": 3}, "''", "'replicas' not allowed"),
    "misspelt below": ({"image": {"tga": "v1"}}, "'/image'", "'tga' not allowed"),
    "no replica": ({"replicaCount": 0}, "'/replicaCount'", "minimum"),
    "text for a number": ({"service": {"port": "http"}}, "'/service/port'", "want integer"),
    "namespace that cannot be": ({"namespaces": ["Shop"]}, "'/namespaces/0'", "pattern"),
    "namespace twice": ({"namespaces": ["shop", "shop"]}, "'/namespaces'", "equal"),
    "quantity": ({"resources": {"limits": {"memory": "lots"}}}, "'/resources/limits/memory'", "pattern"),
    "scheme of Prometheus": ({"config": {"prometheus": {"url": "ftp://x"}}}, "'/config/prometheus/url'", "pattern"),
    "field of the config": ({"config": {"promethues": {}}}, "'/config'", "'promethues' not allowed"),
    "what the chart sets": ({"config": {"http": {"port": 80}}}, "'/config'", "'http' not allowed"),
    "step of a profile": (
        {"config": {"profiles": {"night": {"steps": [{"weight": 500}]}}}},
        "'/config/profiles/night/steps/0/weight'",
        "maximum",
    ),
    "tick of a profile": (
        {"config": {"profiles": {"night": {"tick_seconds": 0}}}},
        "'/config/profiles/night/tick_seconds'",
        "minimum",
    ),
    "unknown routing": ({"config": {"routing": "nginx"}}, "'/config/routing'", "one of"),
    "mount without a path": ({"extraVolumeMounts": [{"name": "token"}]}, "'/extraVolumeMounts/0'", "mountPath"),
    "toleration": ({"tolerations": [{"effect": "Sometimes"}]}, "'/tolerations/0/effect'", "one of"),
    "user without a kind": ({"users": [{"name": "me"}]}, "'/users/0'", "oneOf"),
    "digest": ({"image": {"digest": "latest"}}, "'/image/digest'", "pattern"),
}

CUSTOM = {"ServiceMonitor", "PrometheusRule"}
"""Prometheus Operator's kinds, whose schemas are not Kubernetes'."""
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def named(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def only(documents, kind):
    (document,) = named(documents, kind)
    return document


def config(documents):
    """The config file that the pods get."""
    (text,) = (each["data"]["config.yaml"] for each in named(documents, "ConfigMap") if "config.yaml" in each["data"])
    return yaml.safe_load(text)


def templates(documents):
    """The pods that the chart makes: of the Deployment, and of the hook where there is one."""
    return [each["spec"]["template"] for kind in ("Deployment", "Job") for each in named(documents, kind)]


def selected(selector, labels):
    return selector.items() <= labels.items()


@cache
def valid(document, version):
    """Check one object, in JSON; most values leave most objects as they are."""
    kubernetes_validate.validate(json.loads(document), version, strict=True)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_finds_nothing_wrong(helm, chart, kubernetes_version, values):
    place = ("--namespace", "shop", "--kube-version", kubernetes_version, "--values", "-")
    answer = helm.run("lint", "--strict", chart, *place, given=json.dumps(values))
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_object_is_one_that_kubernetes_takes(render, kubernetes_version, values):
    documents = render(**values)
    for document in documents:
        if document["kind"] not in CUSTOM:
            valid(json.dumps(document), kubernetes_version)
    identities = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in documents]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_service_understands_its_config(render, values):
    found = ServiceSettings.model_validate(config(render(**values)))
    assert found.namespaces == (() if values.get("clusterWide") else tuple(values.get("namespaces", ["shop"])))


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_pods_are_restricted_and_can_write_nowhere_but_tmp(render, values):
    for template in templates(render(**values)):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == RESTRICTED
            assert {"requests", "limits"} <= container["resources"].keys()
            writable = [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")]
            assert writable == ["/tmp"]


@pytest.mark.parametrize(("values", "path", "why"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_value_is_refused_with_its_path(helm, values, path, why):
    answer = helm.attempt(json.dumps(values))
    assert answer.returncode != 0
    assert f"at {path}" in answer.stderr
    assert why in answer.stderr


def test_every_value_has_a_schema(chart):
    """Whatever values.yaml offers is checked, and nothing beside it is taken."""

    def unchecked(values, schema, path=""):
        assert schema.get("additionalProperties") is not True, path
        for name, value in values.items():
            properties = schema.get("properties")
            if properties is None:
                continue
            assert name in properties, f"{path}.{name}"
            if isinstance(value, dict):
                unchecked(value, properties[name], f"{path}.{name}")

    schema = json.loads((chart / "values.schema.json").read_text())
    unchecked(yaml.safe_load((chart / "values.yaml").read_text()), schema)


def test_what_the_chart_has_from_elsewhere_is_up_to_date(generate):
    stale = [
        str(path) for path, text in generate["rendered"]().items() if not path.exists() or path.read_text() != text
    ]
    assert not stale, "run: make chart"


def test_its_version_is_the_service_s(chart):
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (__version__, __version__)


def test_a_packaged_chart_has_dashboards_and_rules(helm, chart, tmp_path):
    answer = helm.run("package", chart, "--destination", tmp_path)
    assert answer.returncode == 0, answer.stderr
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("canary-analyzer/") for name in archive.getnames()}
    assert {"files/rules.yaml", "files/dashboards/overview.json", "files/dashboards/rollout.json"} <= names
    assert "generate.py" not in names


def test_dashboards_are_config_maps_that_grafana_s_sidecar_finds(render, chart):
    documents = render(dashboards={"enabled": True, "label": "my_dashboard", "labelValue": "yes"})
    found = [each for each in named(documents, "ConfigMap") if each["metadata"]["labels"].get("my_dashboard") == "yes"]
    pages = {name: json.loads(text) for each in found for name, text in each["data"].items()}
    assert pages == {page.name: json.loads(page.read_text()) for page in (chart.parent / "dashboards").glob("*.json")}


def test_alerts_are_the_rules_file(render, chart):
    rules = only(render(prometheusRule={"enabled": True}), "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((chart.parent / "dashboards/rules.yaml").read_text())


def test_what_selects_the_service_s_pods_selects_them_and_not_the_hook_s(render):
    documents = render(networkPolicy={"enabled": True}, serviceMonitor={"enabled": True})
    pods, hook = (template["metadata"]["labels"] for template in templates(documents))
    service = only(documents, "Service")
    selectors = [service["spec"]["selector"], only(documents, "Deployment")["spec"]["selector"]["matchLabels"]]
    selectors += [only(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    selectors += [only(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    assert all(selected(each, pods) and not selected(each, hook) for each in selectors)
    monitored = only(documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert selected(monitored, service["metadata"]["labels"])


RESTARTING = {
    "namespaces": {"namespaces": ["pay"]},
    "replicas": {"config": {"replicas": {"lease_seconds": 30}}},
    "workers": {"config": {"workers": 4}},
}


def test_pods_start_anew_for_what_is_not_read_while_they_run_and_for_nothing_else(render):
    def checksum(values):
        return only(render(**values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert {*RESTARTING, "http"} == AT_START, "http is the chart's to set"
    assert all(checksum(values) != checksum({}) for values in RESTARTING.values())
    others = [values for values in VALUES.values() if not (values.get("namespaces") or values.get("clusterWide"))]
    assert len({checksum(values) for values in others}) == 1


def test_a_pod_is_killed_only_after_the_service_has_given_up_waiting(render):
    [deployment] = [each for each in render() if each["kind"] == "Deployment"]
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= PASSES_SECONDS + LEASE_SECONDS + 10


def test_files_that_the_config_names_are_there_for_the_hook_too(render):
    """It asks Prometheus as well, by the same config."""
    for template in templates(render(**VALUES["token in a file"])):
        (container,) = template["spec"]["containers"]
        assert {"name": "token", "secret": {"secretName": "prometheus"}} in template["spec"]["volumes"]
        assert {"name": "token", "mountPath": "/secrets", "readOnly": True} in container["volumeMounts"]


def test_one_replica_has_no_disruption_budget_that_would_block_a_drain(render):
    assert not named(render(replicaCount=1), "PodDisruptionBudget")
    assert named(render(), "PodDisruptionBudget")


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_rights_go_to_the_service_s_account_alone_and_hold_no_secrets(render, values):
    documents = render(**values)
    account = only(documents, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "shop"}
    roles = named(documents, "Role") + named(documents, "ClusterRole")
    bindings = named(documents, "RoleBinding") + named(documents, "ClusterRoleBinding")
    for binding in bindings:
        assert binding["subjects"] == (USERS if binding["metadata"]["name"].endswith("-user") else [subject])
    assert {each["metadata"]["name"] for each in roles} == {each["roleRef"]["name"] for each in bindings}
    rules = [rule for role in roles for rule in role["rules"]]
    words = {word for rule in rules for word in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])}
    assert not words & {"*", "secrets", "pods/exec", "serviceaccounts", "roles", "impersonate", "escalate", "bind"}


def test_users_get_the_role_of_the_documentation_where_the_service_watches(render, chart):
    documented = yaml.safe_load_all((chart.parent / "docs/ci-cd/pipeline-role.yaml").read_text())
    (rules,) = (each["rules"] for each in documented if each["kind"] == "Role")
    documents = render(**VALUES["users"])
    roles, bindings = (
        [each for each in named(documents, kind) if each["metadata"]["name"] == "canary-analyzer-user"]
        for kind in ("Role", "RoleBinding")
    )
    assert [each["rules"] for each in roles] == [rules, rules]
    assert [each["metadata"]["namespace"] for each in bindings] == ["shop", "pay"]
    assert all(each["subjects"] == USERS for each in bindings)
    everywhere = render(**VALUES["users of all namespaces"])
    assert [each["metadata"]["name"] for each in named(everywhere, "ClusterRole")] == [
        "canary-analyzer",
        "canary-analyzer-user",
    ]


def test_dashboards_lead_to_the_status_page_that_the_config_names(render):
    documents = render(dashboards={"enabled": True}, config={"status_page_url": "https://canaries.example/"})
    files = {name: text for each in named(documents, "ConfigMap") for name, text in each["data"].items()}
    pages = [json.loads(text) for name, text in files.items() if name.endswith(".json")]
    found = [each["query"] for page in pages for each in page["templating"]["list"] if each["name"] == "status_page"]
    assert found == ["https://canaries.example"] * 2


def test_nothing_is_cluster_wide_unless_asked_for(render):
    assert not named(render(), "ClusterRole")
    (reading,) = named(render(readRoutesEverywhere=True), "ClusterRole")
    assert {verb for rule in reading["rules"] for verb in rule["verbs"]} == {"list"}


def test_each_watched_namespace_has_the_same_role_and_no_other_has_one(render):
    roles = [
        role
        for role in named(render(namespaces=["a", "b"]), "Role")
        if not role["metadata"]["name"].endswith("-leases")
    ]
    assert [role["metadata"]["namespace"] for role in roles] == ["a", "b"]
    assert roles[0]["rules"] == roles[1]["rules"]


def test_the_role_follows_the_config(render):
    def verbs(resource, **config):
        rules = [rule for role in named(render(config=config), "Role") for rule in role["rules"]]
        return [rule["verbs"] for rule in rules if resource in rule["resources"]]

    used, looked_at = ["get", "list", "watch", "patch"], ["list"]
    assert (verbs("virtualservices"), verbs("httproutes")) == ([used], [looked_at])
    assert verbs("httproutes", routing="gateway-api") == [used]
    assert verbs("virtualservices", routing="gateway-api") == [looked_at]
    assert verbs("pods/log") == [["get"]]
    assert not verbs("pods/log", read_logs=False)
