"""Either Prometheus' samples or a reason that a person understands."""

from __future__ import annotations

import gc
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread

import pytest
import requests

from canary_analyzer.metrics import Credentials, MetricsUnavailable, PrometheusReader, client
from canary_analyzer.metrics.client import AT_A_TIME

EMPTY = '{"status": "success", "data": {"resultType": "matrix", "result": []}%s}'
NONE = EMPTY.replace("matrix", "vector") % ""


RESULT = '{"status":"success","data":{"resultType":"%s","result":%s}}'
FAILED = (
    '{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation",'
    '"data":{"resultType":"matrix","result":[]}}'
)


def ask(url, **settings):
    return list(PrometheusReader(url, **settings).points("up", at=1_700_000_000, window_seconds=60))


def test_raw_samples_of_a_real_prometheus(prometheus):
    (series,) = prometheus.points("up", at=1_700_000_000, window_seconds=9)
    assert series.labels == {"__name__": "up", "job": "mesh"}
    assert series.since(0) == [(1_699_999_995, 1), (1_700_000_000, 1)]


def test_an_answer_is_let_go_as_soon_as_it_is_taken(prometheus):
    """Some megabytes each would wait for the garbage collector, which looks for cycles seldom."""
    gc.collect()
    gc.disable()
    try:
        assert list(prometheus.points("up", at=1_700_000_000, window_seconds=9))
        assert not [each for each in gc.get_objects() if isinstance(each, requests.Response)]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("at", "expected"),
    [pytest.param(1_700_000_000, True, id="there"), pytest.param(1_600_000_000, False, id="not yet")],
)
def test_whether_prometheus_was_there(prometheus, at, expected):
    assert prometheus.knew("up", at) is expected


def test_a_query_that_prometheus_refuses(prometheus):
    with pytest.raises(MetricsUnavailable, match=r"refused the query.*parse error"):
        list(prometheus.points("up{", at=0, window_seconds=1))


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(503, "loading", "refused the query: HTTP Status Code 503", id="not ready"),
        pytest.param(200, "<html>log in</html>", "answered, but not as Prometheus does", id="a login page"),
        pytest.param(200, '{"hello": 1}', "answered, but not as Prometheus does", id="other JSON"),
        pytest.param(200, "null", "answered, but not as Prometheus does", id="no JSON object"),
        pytest.param(200, "[" * 100_000, "answered, but not as Prometheus does", id="JSON without a bottom"),
        pytest.param(200, '["warnings"]', "answered, but not as Prometheus does", id="a list"),
        pytest.param(200, RESULT % ("scalar", '[1,"1"]'), "answered, but not as Prometheus does", id="a scalar"),
        pytest.param(200, RESULT % ("matrix", "null"), "answered, but not as Prometheus does", id="no list of series"),
        pytest.param(200, RESULT % ("matrix", '{"a":1}'), "answered, but not as Prometheus does", id="no list"),
        pytest.param(200, RESULT % ("matrix", '[{"values":[[1,"1"]]}]'), "not as Prometheus does", id="no labels"),
        pytest.param(200, RESULT % ("matrix", '[{"metric":{},"values":5}]'), "not as Prometheus does", id="no points"),
        pytest.param(200, RESULT % ("vector", "[]"), "with a vector where a matrix was asked for", id="a vector"),
        pytest.param(200, (RESULT % ("matrix", "["))[:-2], "not as Prometheus does", id="cut where series begin"),
        pytest.param(200, FAILED, "refused the query: query timed out in expression evaluation", id="a failure as 200"),
        pytest.param(422, FAILED, "refused the query: query timed out in expression evaluation", id="a failure"),
        pytest.param(
            200,
            EMPTY % ', "warnings": ["store 10.0.0.7 timed out"]',
            "only in part: store 10.0.0.7 timed out",
            id="partial",
        ),
    ],
)
def test_answers_that_cannot_be_trusted_are_refused(answering, status, body, reason):
    with answering(status, body) as url, pytest.raises(MetricsUnavailable) as failure:
        ask(url)
    assert reason in failure.value.reason


def test_a_cluster_that_says_it_lacks_nodes_is_refused(answering):
    with answering(200, EMPTY % ',"isPartial":true') as url, pytest.raises(MetricsUnavailable, match="only in part"):
        ask(url)


def test_an_empty_list_of_warnings_is_no_warning(answering):
    with answering(200, EMPTY % ', "warnings": []') as url:
        assert ask(url) == []


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://anna:secret@127.0.0.1:{unused.getsockname()[1]}/prom"
        with pytest.raises(MetricsUnavailable) as failure:
            ask(url)
    assert failure.value.reason.startswith("Prometheus at http://127.0.0.1:")
    assert failure.value.reason.endswith("/prom cannot be reached: Connection refused")
    assert failure.value.__cause__ is not None


def test_nobody_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(MetricsUnavailable, match=r"did not answer within 0\.05 s"):
            ask(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.05)


@pytest.mark.parametrize(
    ("pause", "reason"),
    [
        pytest.param(0.02, r"did not answer within 0\.1 s", id="drop by drop"),
        pytest.param(0, "answered with more than", id="without end"),
    ],
)
def test_an_answer_that_does_not_end_is_not_waited_for(monkeypatch, pause, reason):
    monkeypatch.setattr(client, "LARGEST_ANSWER", 1_000_000 if not pause else client.LARGEST_ANSWER)
    gone = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while not gone.wait(pause):
                    self.wfile.write(b" " if pause else b" " * 100_000)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}).start()
        with pytest.raises(MetricsUnavailable, match=reason):
            ask(f"http://127.0.0.1:{http.server_port}", timeout_seconds=0.1 if pause else 30)
        gone.set()
        http.shutdown()


@pytest.mark.parametrize(
    ("given", "authorization"),
    [
        pytest.param({}, None, id="nobody asks"),
        pytest.param({"token_file": "secret\n"}, "Bearer secret", id="a token"),
        pytest.param({"username": "anna", "password_file": "s:t"}, "Basic YW5uYTpzOnQ=", id="a password"),
    ],
)
def test_credentials_come_from_files_as_they_are_at_that_moment(answering, tmp_path, given, authorization):
    files = {name: tmp_path / name for name in given if name.endswith("_file")}
    with answering(200, NONE) as url:
        reader = PrometheusReader(url, credentials=Credentials(**(given | files), headers={"X-Scope-OrgID": "shop"}))
        for name, file in files.items():
            file.write_text(given[name])
        reader.knew("up", 0)
    sent = answering.requests[-1]
    assert (sent.get("Authorization"), sent.get("X-Scope-OrgID")) == (authorization, "shop")


def test_a_credential_that_is_not_there_is_a_reason_not_a_crash(answering, tmp_path):
    credentials = Credentials(token_file=tmp_path / "token")
    with answering(200, EMPTY % "") as url, pytest.raises(MetricsUnavailable, match=r"was not asked: .*No such file"):
        PrometheusReader(url, credentials=credentials).knew("up", 0)


@pytest.mark.parametrize("content", [b"Bearer\nhunter2", b"hunter2\0", b"\xffhunter2"], ids=["lines", "NUL", "no text"])
@pytest.mark.parametrize("given", ["token_file", "password_file"])
def test_a_credential_that_cannot_be_sent_is_refused_without_a_word_of_it(answering, tmp_path, given, content):
    file = tmp_path / "credential"
    file.write_bytes(content)
    with answering(200, NONE) as url, pytest.raises(MetricsUnavailable) as failure:
        PrometheusReader(url, credentials=Credentials(username="anna", **{given: file})).knew("up", 0)
    assert f"was not asked: {file} does not hold one line of text" in failure.value.reason
    assert "hunter2" not in repr(failure.value.__cause__)


def test_a_query_that_is_no_text_is_a_reason_not_a_crash(answering):
    with answering(200, NONE) as url, pytest.raises(MetricsUnavailable, match="was not asked: the query or the token"):
        PrometheusReader(url).knew("up{a='\ud800'}", 0)


def test_prometheus_is_asked_a_few_things_at_a_time():
    arrived, go, came = [], Event(), Condition()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            with came:
                arrived.append(self)
                came.notify()
            go.wait()
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(NONE.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http, ThreadPoolExecutor(3 * AT_A_TIME) as users:
        Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}).start()
        reader = PrometheusReader(f"http://127.0.0.1:{http.server_port}")
        answers = users.map(lambda at: reader.knew("up", at), range(3 * AT_A_TIME))
        with came:
            as_many_as_may = came.wait_for(lambda: len(arrived) == AT_A_TIME, timeout=30)
            more = came.wait_for(lambda: len(arrived) > AT_A_TIME, timeout=0.3)
        go.set()
        assert (as_many_as_may, more) == (True, False)
        assert list(answers) == [False] * 3 * AT_A_TIME
        http.shutdown()


def test_long_queries_travel_as_forms(prometheus):
    names = "|".join(f"workload-{number:04}" for number in range(1000))
    assert list(prometheus.points(f'up{{job=~"{names}"}}', at=1_700_000_000, window_seconds=60)) == []


def test_how_long_each_query_took_is_told(answering):
    told = []
    with answering(200, NONE) as url:
        PrometheusReader(url, on_query=lambda seconds, answered: told.append((seconds > 0, answered))).knew("up", 0)
    with answering(503, "loading") as url, pytest.raises(MetricsUnavailable):
        PrometheusReader(url, on_query=lambda seconds, answered: told.append((seconds > 0, answered))).knew("up", 0)
    assert told == [(True, True), (True, False)]
