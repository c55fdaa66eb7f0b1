"""The control API's part about rights: a kubeconfig for a ServiceAccount, and what each identity asked for."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml
from aiohttp import web

from canary_analyzer.sandbox.api.rbac import Audit
from canary_analyzer.sandbox.client import ApiError, KubeClient

Handler = Callable[[web.Request], Awaitable[web.Response]]
_NO_AUDIT = "only the sandbox's own API server notes who asks for what: start the sandbox without --kubeconfig"


def kubeconfig_of(client: KubeClient, admin: Path) -> Handler:
    """Answers with the administrator's kubeconfig, but with a fresh token of a ServiceAccount."""

    async def show(request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        try:
            token = await client.token(namespace, name)
        except ApiError as error:
            return web.json_response({"error": error.message}, status=error.status)
        config = yaml.safe_load(admin.read_text())
        # kubectl sends tokens over TLS only, but always says whom it impersonates; other clients send the token.
        secure = all(each["cluster"]["server"].startswith("https:") for each in config["clusters"])
        identity = {} if secure else {"as": f"system:serviceaccount:{namespace}:{name}"}
        config["users"] = [{**user, "user": {"token": token, **identity}} for user in config["users"]]
        return web.Response(text=yaml.safe_dump(config, sort_keys=False), content_type="application/yaml")

    return show


def asked(audit: Audit | None) -> Handler:
    """Answers with verbs, resources and namespaces by identity."""

    async def show(_: web.Request) -> web.Response:
        if audit is None:
            return web.json_response({"error": _NO_AUDIT}, status=404)
        return web.json_response(audit.document())

    return show


def forget(audit: Audit | None) -> Handler:
    """Begins the notes anew."""

    async def clear(_: web.Request) -> web.Response:
        if audit is None:
            return web.json_response({"error": _NO_AUDIT}, status=404)
        audit.forget()
        return web.json_response({})

    return clear
