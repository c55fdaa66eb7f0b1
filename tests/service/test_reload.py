"""The config file is read again while the service runs."""

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from canary_analyzer.service.reload import ConfigFile, Reloader

SUCCESS = "canary_analyzer_config_reload_success"


@pytest.fixture
def config(tmp_path):
    """A config file as a mounted ConfigMap has it: a link to a link, of which the middle one is swapped."""

    class Config:
        path = tmp_path / "config.yaml"
        registry = CollectorRegistry()

        def __init__(self):
            self.applied, self.defects = [], 0

        def write(self, text):
            folder = tmp_path / f"..{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            (folder / "config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
            swap = tmp_path / "..swap"
            swap.symlink_to(folder)
            swap.rename(tmp_path / "..data")
            if not self.path.is_symlink():
                self.path.symlink_to(tmp_path / "..data" / "config.yaml")

        def reloader(self):
            file = ConfigFile(path=self.path, over={"http": {"port": 0}})
            return Reloader(file, file.load(), self.apply, self.registry, self.defect)

        def apply(self, settings):
            self.applied.append(settings)
            if settings.workers == 13:
                raise LookupError("a defect")

        def defect(self):
            self.defects += 1

        def successful(self):
            return self.registry.get_sample_value(SUCCESS) == 1

    config = Config()
    config.write("profiles: {quick: {tick_seconds: 3}}")
    return config


def test_a_change_is_taken_over_and_nothing_else_is(config):
    reloader = config.reloader()
    reloader.look()
    assert config.applied == []
    config.write("profiles: {quick: {tick_seconds: 4}}")
    reloader.look()
    reloader.look()
    assert [settings.profiles["quick"].tick_seconds for settings in config.applied] == [4]
    assert config.successful()


def test_what_the_command_line_replaced_stays_replaced(config):
    reloader = config.reloader()
    config.write("http: {port: 9999}\nprofiles: {quick: {tick_seconds: 4}}")
    reloader.look()
    assert config.applied[0].http.port == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("profiles: {quick: {tick_seconds: -1}, standard: {setle: 1}}", "tick_seconds", id="mistakes"),
        pytest.param("profiles: [", "it is not YAML", id="no YAML"),
        pytest.param("status_page_url: 2024-13-45", "it is not YAML: month", id="a date that there is not"),
        pytest.param("workers: 0b_", "it is not YAML", id="a number that is none"),
        pytest.param(b"status_page_url: \xe9", "it is not YAML", id="not UTF-8"),
    ],
)
def test_a_bad_config_keeps_the_old_one_and_says_so(config, text, said):
    reloader = config.reloader()
    config.write(text)
    with capture_logs() as logs:
        reloader.look()
    assert config.applied == []
    assert not config.successful()
    assert said in " ".join(logs[0]["mistakes"])
    config.write("profiles: {quick: {tick_seconds: 4}}")
    reloader.look()
    assert config.successful()


def test_a_defect_of_ours_is_counted_and_the_next_change_is_read_all_the_same(config):
    reloader = config.reloader()
    config.write("workers: 13\nread_logs: false")
    reloader.look()
    assert (config.defects, config.successful()) == (1, False)
    config.write("read_logs: false")
    reloader.look()
    assert config.applied[-1].read_logs is False
    assert config.successful()


def test_a_file_that_is_gone_keeps_the_old_config(config):
    reloader = config.reloader()
    reloader.look()
    config.path.unlink()
    reloader.look()
    assert not config.successful()
    assert config.applied == []


def test_asking_reads_even_what_has_not_changed(config):
    reloader = config.reloader()
    config.write("profiles: [")
    reloader.look()
    with capture_logs() as logs:
        reloader.look()
        assert logs == []
        reloader.look(anyway=True)
        assert len(logs) == 1


def test_what_waits_for_the_next_start_is_named(config):
    reloader = config.reloader()
    config.write("namespaces: [shop]\nworkers: 3\nprofiles: {quick: {tick_seconds: 3}}")
    with capture_logs() as logs:
        reloader.look()
    assert config.applied == []
    assert logs[0]["fields"] == ["namespaces", "workers"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("links: [{title: Logs, url: 'https://logs.example/{run}'}]", id="links"),
        pytest.param("read_logs: false", id="read_logs"),
        pytest.param("prometheus: {url: 'http://prometheus.elsewhere:9090'}", id="prometheus"),
        pytest.param("routing: gateway-api", id="routing"),
        pytest.param("status_page_url: https://canaries.example", id="status_page_url"),
        pytest.param("webhooks: {ask: {url: 'https://gate.example'}}", id="webhooks"),
        pytest.param("notifications: [{name: hook, kind: webhook, url: 'https://a.example'}]", id="notifications"),
    ],
)
def test_all_else_is_in_force_at_once(config, text):
    reloader = config.reloader()
    config.write(f"{text}\nprofiles: {{quick: {{tick_seconds: 3}}}}")
    with capture_logs() as logs:
        reloader.look()
    assert len(config.applied) == 1
    assert [line["log_level"] for line in logs] == ["info"]
