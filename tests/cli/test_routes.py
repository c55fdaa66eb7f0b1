import json

import pytest
from typer.testing import CliRunner

from canary_analyzer.cli.app import app

ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: shop}
spec:
  hosts: [%s]
  http:
  - route:
    - destination: {host: %s}
"""
WEB = ROUTE % ("web", "web", "web")
API = ROUTE % ("api", "api", "api")


@pytest.fixture
def explain(tmp_path):
    def run(*texts, stable="web", **options):
        files = []
        for i, text in enumerate(texts):
            files.append(tmp_path / f"{i}.yaml")
            files[-1].write_text(text)
        flags = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
        return CliRunner().invoke(app, ["routes", "explain", *map(str, files), "--stable", stable, *flags])

    return run


@pytest.fixture
def explained(explain, tmp_path):
    def run(*texts, **options):
        files = []
        for i, text in enumerate(texts):
            files.append(str(tmp_path / f"{i}.yaml"))
            (tmp_path / f"{i}.yaml").write_text(text)
        flags = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
        result = CliRunner().invoke(app, ["routes", "explain", *files, "--json", *flags])
        return result.exit_code, json.loads(result.stdout)

    return run


def test_an_edit_is_shown_as_a_diff(explain):
    result = explain(f"{WEB}---\n{API}", weight=20)
    assert result.exit_code == 0
    assert "VirtualService shop/web" in result.stdout
    assert "spec.http[0].route at 20 %" in result.stdout
    assert "+      weight: 80\n+    - destination:\n+        host: web-canary\n+      weight: 20\n" in result.stdout
    assert "VirtualService shop/api" in result.stdout
    assert "1 edited, 0 refused, 1 unrelated" in result.stdout


def test_json_has_the_document_as_it_would_be(explained):
    code, told = explained(WEB, stable="web")
    (route,) = told["routes"]
    assert (code, route["outcome"], route["edited"]) == (0, "edited", ["spec.http[0].route"])
    assert [item["weight"] for item in route["after"]["spec"]["http"][0]["route"]] == [90, 10]
    assert told["target"]["namespace"] == "shop"


def test_a_refusal_has_object_path_reason_and_remedy(explained):
    code, told = explained(WEB.replace("- route:", "- fault: {abort: {httpStatus: 500}}\n    route:"), stable="web")
    (problem,) = told["routes"][0]["problems"]
    assert code == 1
    assert (problem["object"], problem["path"]) == ("VirtualService shop/web", "spec.http[0].fault")
    assert problem["reason"]
    assert problem["remedy"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        pytest.param("{{- if .Values.on }}\n" + WEB, 2, "render it first", id="template"),
        pytest.param("kind: [", 2, "not YAML", id="not YAML"),
        pytest.param("", 2, "There is no VirtualService", id="empty"),
        pytest.param("kind: ConfigMap\n", 2, "There is no VirtualService", id="other kinds"),
        pytest.param(
            WEB.replace("networking.istio.io/v1", "appmesh.k8s.aws/v1beta2"), 2, "There is no", id="another project's"
        ),
        pytest.param(f"{WEB}---\na: [\n", 1, "line 11, column 1", id="one bad document among good ones"),
        pytest.param(API, 1, "no entry has the Service", id="not reached"),
        pytest.param(WEB.replace("http:", "tcp:"), 1, "only a tcp route", id="tcp"),
        pytest.param(
            WEB.replace("host: web", "host: web.shop"), 1, "Write web.shop.svc.cluster.local", id="half a name"
        ),
        pytest.param(WEB.replace("spec:", "spec:\nother:"), 1, "no entry has", id="no spec"),
        pytest.param(WEB.replace("host: web", "host: web, subset: [v1]"), 1, "no entry has", id="subset is a list"),
        pytest.param(WEB.replace("hosts: [web]", "hosts: 5"), 0, "1 edited", id="hosts is a number"),
        pytest.param(WEB.replace("metadata: {", "x: {"), 0, "(no name)", id="no metadata"),
        pytest.param(
            WEB.replace("{host: web}", "{host: web, subset: v1}"), 0, "subset v1 of web is taken", id="one subset"
        ),
    ],
)
def test_whatever_a_file_holds_is_answered(explain, text, code, said):
    result = explain(text, namespace="shop")
    assert result.exit_code == code, result.stdout
    assert said in result.stdout


def test_a_file_that_is_not_there_is_told(tmp_path):
    result = CliRunner().invoke(app, ["routes", "explain", str(tmp_path / "none.yaml"), "--stable", "web"])
    assert result.exit_code == 2
    assert "cannot be read" in result.stdout


def test_lists_dates_and_anchors_are_read_as_the_api_would(explained):
    shared = "  - &one\n    route:\n    - destination: {host: web}\n  - *one\n"
    text = WEB.replace("  - route:\n    - destination: {host: web}\n", shared).replace(
        "shop}", "shop, labels: {at: 2024-01-01}}"
    )
    items = "\n".join(f"  {line}" for line in text.splitlines())
    code, told = explained(f"apiVersion: v1\nkind: List\nitems:\n- {items.strip()}\n", stable="web")
    after = told["routes"][0]["after"]
    assert code == 0
    assert after["metadata"]["labels"] == {"at": "2024-01-01"}
    assert [[item["weight"] for item in entry["route"]] for entry in after["spec"]["http"]] == [[90, 10], [90, 10]]


SPLIT = WEB.replace(
    "- destination: {host: web}",
    "- {destination: {host: web, subset: v1}, weight: 90}\n    - {destination: {host: web, subset: v2}, weight: 10}",
)
DEPLOYMENT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-%s, namespace: shop}
spec: {template: {metadata: {labels: {app: web, version: %s}}}}
"""
PODS = f"""\
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{selector: {{app: web}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web, namespace: shop}}
spec: {{host: web, subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]}}
{DEPLOYMENT % ("v1", "v1")}{DEPLOYMENT % ("v2", "v2")}"""


@pytest.mark.parametrize(
    ("files", "options", "weights"),
    [
        pytest.param([SPLIT], {"stable": "web"}, None, id="not told which subset"),
        pytest.param([SPLIT], {"stable": "web", "stable_subset": "v1"}, [81, 10, 9], id="told: the other is foreign"),
        pytest.param([SPLIT, PODS], {"stable": "web-v1"}, [81, 10, 9], id="by the Deployment's labels"),
        pytest.param(
            [SPLIT],
            {"stable": "web", "stable_subset": "v1", "canary_subset": "v2", "weight": 30},
            [70, 30],
            id="the user's canary",
        ),
        pytest.param(
            [SPLIT, PODS], {"stable": "web-v1", "canary": "web-v2", "weight": 30}, [70, 30], id="by labels too"
        ),
    ],
)
def test_subsets_are_told_by_labels_or_by_option(explained, files, options, weights):
    code, told = explained(*files, **options)
    if weights is None:
        assert code == 1
        (route,) = told["routes"]
        assert [p["path"] for p in route["problems"]] == [f"spec.http[0].route[{i}].destination.subset" for i in (0, 1)]
        return
    assert code == 0
    assert [item["weight"] for item in told["routes"][0]["after"]["spec"]["http"][0]["route"]] == weights


@pytest.mark.parametrize("name", ["web", "web.shop", "web.shop.svc.cluster.local"])
def test_the_service_may_be_given_with_its_namespace(explained, name):
    code, told = explained(WEB, stable=name)
    assert (code, told["target"]["stable"], told["target"]["namespace"]) == (0, "web", "shop")


def test_a_canary_name_that_is_routed_to_already_is_not_taken_over(explain):
    result = explain(WEB + "  - route: [{destination: {host: web-canary}}]\n")
    assert result.exit_code == 1
    assert "Give --canary web-canary" in result.stdout
