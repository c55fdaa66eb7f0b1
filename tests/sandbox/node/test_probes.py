import asyncio
from itertools import islice, repeat

import pytest

from canary_analyzer.sandbox.node.launch import ConfigurationError
from canary_analyzer.sandbox.node.probes import Exec, HttpGet, Probe, Streak, TcpSocket, outcomes, parse, perform

CONTAINER = {"name": "app", "ports": [{"name": "http", "containerPort": 9000}]}


@pytest.mark.parametrize(
    ("document", "action"),
    [
        ({"httpGet": {"port": "http", "path": "/x"}}, HttpGet(url="http://127.1.0.7:9000/x", headers={})),
        ({"httpGet": {"port": 81, "scheme": "HTTPS"}}, HttpGet(url="https://127.1.0.7:81/", headers={})),
        ({"tcpSocket": {"port": 82}}, TcpSocket(host="127.1.0.7", port=82)),
        ({"exec": {"command": ["true"]}}, Exec(command=("true",))),
    ],
    ids=["http", "https", "tcp", "exec"],
)
def test_actions_are_read_from_the_spec(document, action):
    assert parse(document, CONTAINER, "127.1.0.7").action == action


@pytest.mark.parametrize("document", [{"grpc": {"port": 1}}, {"tcpSocket": {"port": "admin"}}], ids=["grpc", "port"])
def test_an_impossible_probe_is_refused(document):
    with pytest.raises(ConfigurationError):
        parse(document, CONTAINER, "127.1.0.7")


@pytest.mark.parametrize(
    ("answers", "decisions"),
    [
        pytest.param("++", [None, True], id="two successes in a row"),
        pytest.param("+-+", [None, None, None], id="a failure in between starts again"),
        pytest.param("---", [None, None, False], id="three failures"),
        pytest.param("--+---", [None, None, None, None, None, False], id="a success in between starts again"),
    ],
)
def test_so_many_answers_in_a_row_decide(answers, decisions):
    probe, streak, seen = Probe(action=Exec(command=()), success_threshold=2, failure_threshold=3), Streak(), []
    for answer in answers:
        streak = streak.after(answer == "+")
        seen.append(streak.outcome if streak.decides(probe) else None)
    assert seen == decisions


async def test_a_probe_without_an_answer_fails_after_its_timeout():
    async def never(action):
        await asyncio.Event().wait()

    probe = Probe(action=Exec(command=()), period=0, timeout=0.01, failure_threshold=2)
    async for outcome in outcomes(probe, never):
        assert outcome is False
        break


async def test_a_readiness_probe_does_not_wait_a_period_for_its_first_success():
    answers = iter([*repeat(False, 3), True])

    async def check(action):
        return next(answers)

    async with asyncio.timeout(30):
        async for outcome in outcomes(Probe(action=Exec(command=()), period=3600, impatient=True), check):
            if outcome:
                break
    assert list(islice(answers, 1)) == []


@pytest.mark.parametrize(("command", "passed"), [(("true",), True), (("false",), False)])
async def test_a_command_passes_with_exit_code_0(command, passed):
    assert await perform(Exec(command=command), {"PATH": "/bin:/usr/bin"}) is passed


async def test_a_connection_is_enough_for_tcp():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        assert await perform(TcpSocket(host="127.0.0.1", port=server.sockets[0].getsockname()[1]), {})
