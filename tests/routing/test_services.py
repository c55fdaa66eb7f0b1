import pytest

from canary_analyzer.routing import ROUTERS, ServiceName


def virtual_service(*hosts, **entry):
    route = [{"destination": {"host": host}} for host in hosts]
    return {"metadata": {"namespace": "shop"}, "spec": {"http": [{"route": route, **entry}]}}


def http_route(*backends):
    return {"metadata": {"namespace": "shop"}, "spec": {"rules": [{"backendRefs": list(backends)}]}}


ROUTES = {
    "by its short name, beside another": ("VirtualService", virtual_service("app", "next"), {"app", "next"}),
    "by its full name": ("VirtualService", virtual_service("next.shop.svc.cluster.local"), {"next"}),
    "at no weight": ("HTTPRoute", http_route({"name": "next", "weight": 0}), {"next"}),
    "of which none is a Service": ("HTTPRoute", http_route({"name": "bucket", "kind": "Bucket"}), set()),
    "that names a host elsewhere": ("VirtualService", virtual_service("example.com"), set()),
    "that hands all requests back": ("VirtualService", virtual_service("app", redirect={"uri": "/"}), set()),
}


@pytest.mark.parametrize(("kind", "route", "names"), ROUTES.values(), ids=ROUTES)
def test_the_services_of_a_route(kind, route, names):
    assert ROUTERS[kind].services(route) == {ServiceName(name, "shop") for name in names}
