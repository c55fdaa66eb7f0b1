"""Rights on the real emulator: tokens, roles, refusals, and the notes of what was asked for."""

import json

import aiohttp
import pytest

from canary_analyzer.sandbox.api import ApiServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
DEFAULT = "/api/v1/namespaces/default"
SUBJECT = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}
USER = "system:serviceaccount:default:robot"


class As:
    """Requests with one token."""

    def __init__(self, session, token):
        self.session, self.headers = session, {"Authorization": f"Bearer {token}"}

    async def send(self, method, path, body=None, kind="application/json"):
        headers = {**self.headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, path, data=data, headers=headers) as response:
            return response.status, json.loads(await response.text())


@pytest.fixture
async def server():
    async with ApiServer(enforce_rbac=True) as running:
        yield running


@pytest.fixture
async def admin(server):
    async with aiohttp.ClientSession(server.url) as session:
        yield As(session, server.tokens.admin)


@pytest.fixture
async def robot(admin):
    await admin.send("POST", f"{DEFAULT}/serviceaccounts", {"metadata": {"name": "robot"}})
    _, answer = await admin.send("POST", f"{DEFAULT}/serviceaccounts/robot/token", {})
    return As(admin.session, answer["status"]["token"])


@pytest.fixture
def grant(admin):
    async def bind(*rules, cluster_wide=False, subject=SUBJECT, role_kind=None):
        kind = role_kind or ("ClusterRole" if cluster_wide else "Role")
        roles = f"{RBAC}/clusterroles" if kind == "ClusterRole" else f"{RBAC}/namespaces/default/roles"
        bindings = f"{RBAC}/clusterrolebindings" if cluster_wide else f"{RBAC}/namespaces/default/rolebindings"
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "r"}
        await admin.send("POST", roles, {"metadata": {"name": "r"}, "rules": list(rules)})
        body = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [subject]}
        assert (await admin.send("POST", bindings, body))[0] == 201

    return bind


def rule(*verbs, resources=("configmaps",), groups=("",), **more):
    return {"verbs": list(verbs), "resources": list(resources), "apiGroups": list(groups), **more}


async def test_with_an_unknown_token_nobody_is_let_in(admin):
    stranger = As(admin.session, "made-up")
    status, answer = await stranger.send("GET", f"{DEFAULT}/configmaps")
    assert (status, answer["reason"]) == (401, "Unauthorized")


async def test_what_no_role_allows_is_refused_in_the_words_of_a_real_server(robot):
    status, answer = await robot.send("GET", "/apis/apps/v1/namespaces/default/deployments")
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert answer["message"] == (
        f'deployments.apps is forbidden: User "{USER}" cannot list resource "deployments" in API group "apps" '
        'in the namespace "default"'
    )


@pytest.mark.parametrize(
    ("granted", "method", "path", "status"),
    [
        (rule("list"), "GET", f"{DEFAULT}/configmaps", 200),
        (rule("get"), "GET", f"{DEFAULT}/configmaps", 403),
        (rule("list"), "GET", "/api/v1/configmaps", 403),
        (rule("list"), "GET", "/api/v1/namespaces/elsewhere/configmaps", 403),
        (rule("*", resources=["*"], groups=["*"]), "GET", f"{DEFAULT}/configmaps", 200),
        (rule("get", resourceNames=["other"]), "GET", f"{DEFAULT}/configmaps/x", 403),
        (rule("get", resourceNames=["x"]), "GET", f"{DEFAULT}/configmaps/x", 404),
        (rule("get", resources=["services"]), "GET", f"{DEFAULT}/services/x/status", 403),
        (rule("get", resources=["services/status"]), "GET", f"{DEFAULT}/services/x/status", 404),
        (rule("get", resources=["*/status"]), "GET", f"{DEFAULT}/services/x/status", 404),
        (rule("get", resources=["namespaces"]), "GET", "/api/v1/namespaces/default", 200),
        (rule("list", groups=["apps"]), "GET", f"{DEFAULT}/configmaps", 403),
        (rule("delete"), "DELETE", f"{DEFAULT}/configmaps", 403),
    ],
)
async def test_a_role_allows_what_it_lists_in_its_namespace(robot, grant, granted, method, path, status):
    await grant(granted)
    assert (await robot.send(method, path))[0] == status


@pytest.mark.parametrize(
    "subject",
    [
        SUBJECT,
        {"kind": "Group", "name": "system:serviceaccounts:default"},
        {"kind": "Group", "name": "system:authenticated"},
        {"kind": "User", "name": USER},
    ],
    ids=["account", "accounts-of-namespace", "authenticated", "user"],
)
async def test_a_cluster_role_binding_reaches_all_namespaces(robot, grant, subject):
    await grant(rule("list"), cluster_wide=True, subject=subject)
    assert (await robot.send("GET", "/api/v1/configmaps"))[0] == 200


async def test_a_cluster_role_bound_in_a_namespace_is_valid_there_only(robot, grant):
    await grant(rule("list"), role_kind="ClusterRole")
    paths = (f"{DEFAULT}/configmaps", "/api/v1/configmaps")
    assert [(await robot.send("GET", path))[0] for path in paths] == [200, 403]


async def test_to_apply_something_new_takes_the_right_to_create(robot, grant):
    await grant(rule("patch"))
    path, kind = f"{DEFAULT}/configmaps/new?fieldManager=robot", "application/apply-patch+yaml"
    status, answer = await robot.send("PATCH", path, {"apiVersion": "v1", "kind": "ConfigMap"}, kind)
    assert (status, "cannot create" in answer["message"]) == (403, True)


async def test_one_may_ask_what_one_may(robot, grant):
    await grant(rule("list"))

    async def may(verb):
        asked = {"verb": verb, "resource": "configmaps", "namespace": "default"}
        body = {"spec": {"resourceAttributes": asked}}
        _, answer = await robot.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
        return answer["status"]["allowed"]

    assert [await may(verb) for verb in ("list", "delete")] == [True, False]


async def test_what_was_asked_for_is_noted_by_identity(server, robot, grant):
    await grant(rule("list"))
    server.audit.forget()
    for path in (f"{DEFAULT}/configmaps", f"{DEFAULT}/configmaps", f"{DEFAULT}/secrets/x"):
        await robot.send("GET", path)
    one = {"identity": USER, "group": "", "namespace": "default"}
    assert server.audit.document() == [
        {**one, "verb": "get", "resource": "secrets", "allowed": False, "count": 1},
        {**one, "verb": "list", "resource": "configmaps", "allowed": True, "count": 2},
    ]


async def test_without_a_token_one_is_the_administrator_or_whom_one_impersonates(admin):
    async def status(**headers):
        async with admin.session.get(f"{DEFAULT}/configmaps", headers=headers) as response:
            return response.status

    assert (await status(), await status(**{"Impersonate-User": USER})) == (200, 403)


async def test_nobody_but_the_administrator_impersonates(admin, robot, grant):
    headers = {**robot.headers, "Impersonate-User": "kubernetes-admin"}
    async with admin.session.get(f"{DEFAULT}/configmaps", headers=headers) as response:
        assert response.status == 403
