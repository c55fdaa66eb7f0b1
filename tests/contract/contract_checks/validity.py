"""What the server adds to a document, and what it refuses."""

from contract_checks.api import Api
from contract_checks.documents import MERGE, STRATEGIC, container, deployment, pod, refused, service, with_deployment


def a_deployment_is_completed(api: Api) -> None:
    spec = with_deployment(api)["spec"]
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["strategy"], spec["progressDeadlineSeconds"]) == (1, rolling, 600)
    template = {key: value for key, value in spec["template"]["spec"].items() if key != "containers"}
    assert template == {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    assert spec["template"]["spec"]["containers"] == [
        {
            "name": "app",
            "image": "app:v1",
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
    ]


def a_probe_is_completed(api: Api) -> None:
    document = deployment()
    container(document)["readinessProbe"] = {"httpGet": {"port": 8080}}
    probe = container(api.ok("POST", api.deployment(""), document))["readinessProbe"]
    assert probe == {
        "httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def a_service_is_completed(api: Api) -> None:
    spec = api.ok("POST", api.path("services"), service())["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (spec["type"], spec["sessionAffinity"], spec["clusterIPs"]) == ("ClusterIP", "None", [spec["clusterIP"]])
    assert (spec["internalTrafficPolicy"], spec["ipFamilyPolicy"], spec["ipFamilies"]) == (
        "Cluster",
        "SingleStack",
        ["IPv4"],
    )


def a_service_keeps_its_address(api: Api) -> None:
    first = api.ok("POST", api.path("services"), service())
    replaced = api.ok("PUT", api.path("services", "app"), service(ports=[{"port": 81}]))
    assert replaced["spec"]["clusterIP"] == first["spec"]["clusterIP"]
    body = {"spec": {"clusterIP": "10.96.77.77"}}
    refused(api.send("PATCH", api.path("services", "app"), body, MERGE), 422, "Invalid", "may not change once set")


def services_have_different_addresses(api: Api) -> None:
    one, two = service(), service()
    two["metadata"]["name"] = "other"
    addresses = {api.ok("POST", api.path("services"), document)["spec"]["clusterIP"] for document in (one, two)}
    assert len(addresses) == 2


def a_service_without_ports_is_invalid(api: Api) -> None:
    refused(api.send("POST", api.path("services"), service(ports=[])), 422, "Invalid", "spec.ports: Required value")


def a_selector_is_immutable(api: Api) -> None:
    with_deployment(api)
    changed = deployment(selector={"matchLabels": {"app": "b"}})
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
    refused(api.send("PUT", api.deployment(), changed), 422, "Invalid", "spec.selector", "field is immutable")


def a_selector_must_match_the_template(api: Api) -> None:
    answer = api.send("POST", api.deployment(""), deployment(selector={"matchLabels": {"app": "b"}}))
    refused(answer, 422, "Invalid", "spec.template.metadata.labels", "`selector` does not match template `labels`")


def all_mistakes_are_named_at_once(api: Api) -> None:
    document = deployment(replicas=-1)
    container(document)["name"] = "Not OK"
    answer = api.send("POST", api.deployment(""), document)
    fields = {cause["field"] for cause in answer.body["details"]["causes"]}
    assert fields == {"spec.replicas", "spec.template.spec.containers[0].name"}


def a_pods_spec_is_immutable_but_for_images(api: Api) -> None:
    api.ok("POST", api.path("pods"), pod())
    changed = {"spec": {"containers": [{"name": "app", "image": "app:v2"}]}}
    assert api.ok("PATCH", api.path("pods", "app"), changed, STRATEGIC)["spec"]["containers"][0]["image"] == "app:v2"
    body = {"spec": {"dnsPolicy": "Default"}}
    refused(
        api.send("PATCH", api.path("pods", "app"), body, MERGE), 422, "Invalid", "pod updates may not change fields"
    )
