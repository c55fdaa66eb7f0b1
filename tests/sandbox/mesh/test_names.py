import pytest

from canary_analyzer.sandbox.mesh import names


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5s", 5), ("500ms", 0.5), ("1m30s", 90), ("1.5h", 5400), ("0s", 0), ("250us", 0.00025)],
)
def test_durations_are_read_as_go_writes_them(written, seconds):
    assert names.seconds(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["", "5", "s", "5 s", "-5s", "1d"])
def test_what_is_not_a_duration_is_refused(written):
    with pytest.raises(ValueError, match="is not a duration"):
        names.seconds(written)


@pytest.mark.parametrize(("written", "envoy"), [("5s", "5s"), ("500ms", "0.5s"), ("0s", "0s"), ("10m", "600s")])
def test_envoy_gets_decimal_seconds(written, envoy):
    assert names.envoy_duration(written) == envoy


@pytest.mark.parametrize(
    ("host", "full"),
    [("app", "app.shop.svc.cluster.local"), ("app.other", "app.other"), ("example.com", "example.com"), ("*", "*")],
)
def test_only_a_name_without_a_dot_is_short(host, full):
    assert names.fqdn(host, "shop") == full


@pytest.mark.parametrize(
    ("host", "domains"),
    [
        ("app.shop.svc.cluster.local", ["app.shop.svc.cluster.local", "app.shop.svc", "app.shop"]),
        (
            "app.default.svc.cluster.local",
            ["app.default.svc.cluster.local", "app.default.svc", "app.default", "app"],
        ),
        ("example.com", ["example.com"]),
    ],
)
def test_a_service_answers_to_all_its_names(host, domains):
    assert names.domains(host) == domains
