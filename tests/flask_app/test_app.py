import pytest

from flask_app.app import STOPPING, VERSION_HEADER, create_app
from flask_app.settings import Faults, Latency, Settings

AT_ONCE = Latency(median_seconds=0)


@pytest.fixture
def client():
    def make(**faults):
        app = create_app(Settings(version="v9", pod="p", latency=AT_ONCE, faults=Faults(**faults)))

        @app.get("/broken")
        def broken():
            raise RuntimeError

        return app.test_client()

    return make


@pytest.fixture
def stopping():
    STOPPING.set()
    yield
    STOPPING.clear()


@pytest.mark.parametrize(
    ("path", "faults", "status"),
    [
        pytest.param("/", {}, 200, id="root"),
        pytest.param("/work", {}, 200, id="work"),
        pytest.param("/work", {"error_rate": 1}, 500, id="a fault"),
        pytest.param("/nowhere", {}, 404, id="an unknown path"),
        pytest.param("/broken", {}, 500, id="an exception"),
        pytest.param("/healthz", {}, 200, id="alive"),
        pytest.param("/readyz", {}, 200, id="ready"),
        pytest.param("/readyz", {"never_ready": True}, 503, id="never ready"),
        pytest.param("/healthz", {"never_ready": True}, 200, id="never ready is alive"),
        pytest.param("/readyz", {"ready_after_seconds": 3600}, 503, id="not ready yet"),
        pytest.param("/work?seconds=0.001", {}, 200, id="a slow answer"),
        pytest.param("/work?seconds=-1", {}, 200, id="nonsense asked for"),
        pytest.param("/metrics", {}, 200, id="metrics"),
    ],
)
def test_every_answer_carries_the_version(client, path, faults, status):
    response = client(**faults).get(path)
    assert response.status_code == status
    assert response.headers.getlist(VERSION_HEADER) == ["v9"]


def test_a_method_that_is_not_allowed_carries_the_version_too(client):
    response = client().delete("/work")
    assert (response.status_code, response.headers[VERSION_HEADER]) == (405, "v9")


def test_an_instance_that_is_told_to_stop_is_unready_and_still_works(client, stopping):
    served = client()
    assert [served.get(path).status_code for path in ("/readyz", "/healthz", "/work")] == [503, 200, 200]


def test_metrics_count_answers_by_path_and_code(client):
    served = client(error_rate=1)
    served.get("/work")
    text = served.get("/metrics").text
    assert 'app_requests_total{code="500",path="/work"} 1.0' in text
    assert 'app_info{version="v9"} 1.0' in text
    assert 'app_request_seconds_count{path="/work"} 1.0' in text


@pytest.mark.parametrize("fault", [{"crash": True}, {"crash_unless_pod": "-canary"}], ids=["always", "by-name"])
def test_a_crash_says_why_and_exits_with_failure(capsys, fault):
    with pytest.raises(SystemExit) as ended:
        create_app(Settings(version="v9", pod="web-5d8f-x", faults=Faults(**fault)))
    assert ended.value.code == 1
    assert "FAULT_CRASH" in capsys.readouterr().err


def test_a_pod_with_the_right_name_does_not_crash():
    assert create_app(Settings(pod="web-canary-5d8f-x", faults=Faults(crash_unless_pod="-canary")))
