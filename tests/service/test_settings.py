import pytest

from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.settings import Misconfigured, load


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def test_without_a_file_the_defaults_hold():
    assert load(None).profiles == PROFILES


def test_a_profile_of_a_built_in_name_changes_only_the_fields_it_names(config):
    settings = load(config("profiles: {quick: {tick_seconds: 2, analysis: {alpha: 0.02}}}"))
    assert settings.profiles["quick"].tick_seconds == 2
    assert settings.profiles["quick"].steps == PROFILES["quick"].steps
    assert settings.profiles["careful"] == PROFILES["careful"]


def test_a_new_profile_starts_from_standard(config):
    settings = load(config("profiles: {night: {settle_seconds: 30}}"))
    assert settings.profiles["night"].steps == PROFILES["standard"].steps


def test_the_command_line_overrides_the_file(config):
    settings = load(
        config("prometheus: {url: 'http://file:1', timeout_seconds: 3}"), {"prometheus": {"url": "http://arg:2"}}
    )
    assert (settings.prometheus.url, settings.prometheus.timeout_seconds) == ("http://arg:2", 3)


def test_all_mistakes_are_reported_at_once_with_their_fields(config):
    with pytest.raises(Misconfigured) as error:
        load(config("prometheus: {url: ftp://x}\nworkers: none\nprofiles: {mine: {steps: [{weight: 120}], tick: 1}}"))
    told = str(error.value)
    assert len(error.value.mistakes) == 4
    assert all(
        field in told for field in ("prometheus.url", "workers", "profiles.mine.steps.0.weight", "profiles.mine.tick")
    )


@pytest.mark.parametrize("text", ["a: [1", "- just\n- a list", "5"], ids=["no YAML", "a list", "a number"])
def test_a_file_that_is_no_mapping_is_refused_in_words(config, text):
    with pytest.raises(Misconfigured):
        load(config(text))


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(Misconfigured, match=r"none\.yaml.*cannot be read|cannot be read") as error:
        load(tmp_path / "none.yaml")
    assert "none.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param("url: 'http://anna:secret@prom'", "use username and password_file", id="a password in the URL"),
        pytest.param(
            "{dialect: linkerd, reporter: waypoint}", "only Istio has waypoints", id="no waypoints in Linkerd"
        ),
        pytest.param("username: anna", "basic auth needs both", id="no password"),
        pytest.param(
            "{username: a, password_file: /p, token_file: /t}", "only one of them can be sent", id="two credentials"
        ),
        pytest.param("dialect: consul", "prometheus.dialect = 'consul'", id="an unknown mesh"),
    ],
)
def test_a_prometheus_that_cannot_be_asked_so_is_refused(config, given, reason):
    with pytest.raises(Misconfigured) as error:
        load(config(f"prometheus: {given if given.startswith('{') else '{' + given + '}'}"))
    assert reason in str(error.value)
    assert "secret" not in str(error.value)


SECRETS = {
    "a password": "prometheus: {password: hunter2}",
    "a password for its file": "prometheus: {username: a, password_file: hunter2}",
    "a token": "notifications: [{name: a, kind: slack, url_file: /url, token: hunter2}]",
    "an address for its file": "notifications: [{name: a, kind: slack, url_file: 'https://chat/hunter2'}]",
    "a header of its own": "webhooks: {a: {url: 'https://a', authorization: Bearer hunter2}}",
    "a header for its file": "webhooks: {a: {url: 'https://a', headers_from_file: {Authorization: Bearer hunter2}}}",
    "a number for a file": "prometheus: {token_file: [hunter2]}",
    "within the judge's rules": "profiles: {a: {analysis: {token: hunter2}}}",
    "a line that is no YAML": "prometheus: {password: hunter2",
    "no fields at all": "hunter2",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_that_stands_in_the_config_by_mistake_is_not_told(config, text):
    with pytest.raises(Misconfigured) as error:
        load(config(text))
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"workers: !!int ''"], ids=["binary", "no number"])
def test_a_file_that_yaml_stumbles_over_is_a_mistake_like_any_other(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="it is not YAML"):
        load(path)
