import re
from copy import deepcopy

import pytest

from canary_analyzer.rollout import sibling
from canary_analyzer.rollout.sibling import LabelChange, SiblingProblem

LABEL = LabelChange(key="track", value="canary")
TRACKING_LABELS = {
    "app.kubernetes.io/instance": "web",
    "app.kubernetes.io/managed-by": "Helm",
    "helm.sh/chart": "web-1.0.0",
    "helm.toolkit.fluxcd.io/name": "web",
    "kustomize.toolkit.fluxcd.io/name": "apps",
}
TRACKING_ANNOTATIONS = {
    "argocd.argoproj.io/tracking-id": "web:apps/Deployment:shop/web",
    "canary-analyzer.io/image": "web:v2",
    "deployment.kubernetes.io/revision": "7",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
    "kustomize.toolkit.fluxcd.io/prune": "enabled",
    "meta.helm.sh/release-name": "web",
}
SERVER_FIELDS = {
    "uid": "u-1",
    "resourceVersion": "9",
    "generation": 3,
    "creationTimestamp": "2024",
    "managedFields": [{}],
}


def metadata(**labels):
    return {
        "name": "web",
        "namespace": "shop",
        "labels": {**TRACKING_LABELS, **labels},
        "annotations": {**TRACKING_ANNOTATIONS, "team": "shop"},
        **SERVER_FIELDS,
    }


STABLE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": metadata(app="web", track="stable"),
    "spec": {
        "replicas": 5,
        "paused": True,
        "selector": {"matchLabels": {"app": "web", "track": "stable"}},
        "strategy": {"rollingUpdate": {"maxSurge": 1}},
        "template": {
            "metadata": {
                "labels": {"app": "web", "track": "stable", "app.kubernetes.io/instance": "web"},
                "annotations": {"checksum/config": "1", "canary-analyzer.io/x": "1"},
            },
            "spec": {
                "initContainers": [{"name": "migrate", "image": "migrate:v1"}],
                "containers": [
                    {"name": "web", "image": "web:v1", "somethingNew": {"a": 1}},
                    {"name": "proxy", "image": "proxy:v3"},
                ],
            },
        },
    },
    "status": {"replicas": 5},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": metadata(app="web"),
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "externalIPs": ["192.0.2.1"],
        "loadBalancerIP": "192.0.2.2",
        "externalTrafficPolicy": "Local",
        "selector": {"app": "web", "track": "stable"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080, "appProtocol": "http"}],
        "sessionAffinity": "None",
    },
    "status": {"loadBalancer": {}},
}


def canary(**changes):
    return sibling.sibling_deployment(
        STABLE | changes, sibling.Copy(name="web-canary", images={"web": "web:v2"}, label=LABEL, replicas=2)
    )


def test_the_canary_runs_the_other_image_and_is_else_the_same():
    template = canary()["spec"]["template"]
    containers = [
        {"name": "web", "image": "web:v2", "somethingNew": {"a": 1}},
        {"name": "proxy", "image": "proxy:v3"},
    ]
    assert template["spec"] == STABLE["spec"]["template"]["spec"] | {"containers": containers}


def test_canary_pods_keep_every_label_but_one():
    labels = canary()["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "web", "track": "canary", "app.kubernetes.io/instance": "web"}


def test_pod_annotations_stay_apart_from_our_own():
    assert canary()["spec"]["template"]["metadata"]["annotations"] == {"checksum/config": "1"}


def test_the_copy_belongs_to_the_stable_deployment_and_to_nobody_else():
    assert canary()["metadata"] == {
        "name": "web-canary",
        "namespace": "shop",
        "labels": {"app": "web", "track": "canary"},
        "annotations": {"team": "shop"},
        "ownerReferences": [sibling.owner_reference(STABLE)],
        "finalizers": [sibling.FINALIZER],
    }


def test_what_is_released_keeps_everything_but_our_hold():
    held = {"metadata": {"name": "web-canary", "finalizers": ["example.com/backup", sibling.FINALIZER]}}
    assert sibling.released(held) == {"metadata": {"name": "web-canary", "finalizers": ["example.com/backup"]}}
    assert sibling.released(sibling.released(canary())) == sibling.released(canary())
    assert "finalizers" not in sibling.released(canary())["metadata"]


def test_the_owner_is_no_controller_and_can_be_deleted_at_any_time():
    assert sibling.owner_reference(STABLE) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": "u-1",
        "controller": False,
        "blockOwnerDeletion": False,
    }


def test_the_canary_selects_its_own_pods_with_its_own_number_of_them():
    spec = canary()["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "web", "track": "canary"}}
    assert spec["replicas"] == 2
    assert spec["strategy"] == STABLE["spec"]["strategy"]


def test_expressions_on_the_changed_label_give_way_and_others_stay():
    on_track = {"key": "track", "operator": "In", "values": ["stable"]}
    on_app = {"key": "app", "operator": "Exists"}
    selecting = deepcopy(STABLE["spec"]) | {"selector": {"matchExpressions": [on_track, on_app]}}
    assert canary(spec=selecting)["spec"]["selector"] == {
        "matchLabels": {"track": "canary"},
        "matchExpressions": [on_app],
    }


def test_a_paused_stable_does_not_make_a_canary_that_never_starts():
    assert "paused" not in canary()["spec"]


def test_status_is_not_copied_and_stable_is_not_changed():
    before = deepcopy(STABLE)
    assert set(canary()) == {"apiVersion", "kind", "metadata", "spec"}
    assert before == STABLE


def test_the_service_is_for_canary_pods_and_inside_the_cluster_only():
    copied = sibling.canary_service(SERVICE, LABEL, "web-canary", STABLE)
    assert copied == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web-canary",
            "namespace": "shop",
            "labels": {"app": "web"},
            "annotations": {"team": "shop"},
            "ownerReferences": [sibling.owner_reference(STABLE)],
            "finalizers": [sibling.FINALIZER],
        },
        "spec": {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http"}],
            "selector": {"app": "web", "track": "canary"},
        },
    }


def test_a_headless_service_gives_a_headless_one():
    headless = SERVICE | {"spec": {"clusterIP": "None", "selector": {"track": "stable"}}}
    spec = sibling.canary_service(headless, LABEL, "web-canary", STABLE)["spec"]
    assert spec == {"type": "ClusterIP", "clusterIP": "None", "selector": {"track": "canary"}}


def test_two_services_do_not_claim_one_dns_name():
    annotations = {"external-dns.alpha.kubernetes.io/hostname": "shop.example.com"}
    source = SERVICE | {"metadata": SERVICE["metadata"] | {"annotations": annotations}}
    assert "annotations" not in sibling.canary_service(source, LABEL, "web-canary", STABLE)["metadata"]


@pytest.mark.parametrize("length", [1, 55, 56, 57, 63, 200])
def test_names_fit_a_dns_label(length):
    name = sibling.sibling_name("a" * length)
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert name.endswith("-canary")


def test_long_names_that_begin_alike_stay_apart():
    assert sibling.sibling_name("a" * 60 + "x") != sibling.sibling_name("a" * 60 + "y")


def test_images_are_read_by_container_without_init_containers():
    expected = {"web": "web:v1", "proxy": "proxy:v3"}
    assert sibling.container_images(STABLE) == expected
    assert sibling.container_images(STABLE["spec"]["template"]) == expected


def test_images_are_written_to_a_deployment_or_a_template():
    images = {"proxy": "proxy:v4"}
    assert sibling.container_images(sibling.with_images(STABLE, images)) == {"web": "web:v1", "proxy": "proxy:v4"}
    template = sibling.with_images(STABLE["spec"]["template"], images)
    assert sibling.container_images(template)["proxy"] == "proxy:v4"


def test_unknown_containers_are_all_named():
    with pytest.raises(SiblingProblem) as caught:
        sibling.with_images(STABLE, {"wbe": "web:v2", "web": "web:v2", "porxy": "proxy:v4"})
    assert "wbe, porxy" in caught.value.reason
    assert "web, proxy" in caught.value.remedy


def test_the_fingerprint_of_a_template_ignores_the_order_of_keys_and_what_is_outside():
    reordered = STABLE | {"metadata": {}, "spec": {"template": dict(reversed(STABLE["spec"]["template"].items()))}}
    assert sibling.template_hash(reordered) == sibling.template_hash(STABLE)
    assert sibling.template_hash(sibling.with_images(STABLE, {"web": "web:v2"})) != sibling.template_hash(STABLE)
