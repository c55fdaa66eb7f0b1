"""What a node keeps of its containers' output, and how the API server gives it away."""

import asyncio
import shutil

import aiohttp
import pytest

from canary_analyzer.sandbox.client import EVENTS
from canary_analyzer.sandbox.node.logs import cut


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        pytest.param({}, b"one\ntwo\nthree\n", id="all"),
        pytest.param({"tailLines": "2"}, b"two\nthree\n", id="last lines"),
        pytest.param({"tailLines": "0"}, b"", id="no line"),
        pytest.param({"tailLines": "9"}, b"one\ntwo\nthree\n", id="more lines than there are"),
        pytest.param({"limitBytes": "5"}, b"one\nt", id="first bytes"),
        pytest.param({"tailLines": "2", "limitBytes": "4"}, b"two\n", id="first bytes of the last lines"),
    ],
)
def test_a_log_is_cut_as_a_kubelet_cuts_it(query, kept):
    assert cut(b"one\ntwo\nthree\n", query) == kept


def crash_looping(box):
    return box.container("crash")["restartCount"] >= 1 and "waiting" in box.container("crash")["state"]


async def log_of(box, api, **query):
    pod = box.pods("crash")[0]["metadata"]["name"]
    url = f"{api}/api/v1/namespaces/default/pods/{pod}/log"
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
        return answer.status, await answer.text()


async def said(box, api, what, **query):
    """Whether the log says so before long: between two lives it is empty for a moment."""
    for _ in range(50):
        status, text = await log_of(box, api, **query)
        if status == 200 and what in text:
            return True
        await asyncio.sleep(0.1)
    return False


async def test_a_container_that_crashes_leaves_its_last_words_and_warnings(box, api_url):
    await box.deploy(box.make_deployment("crash", "flask-app:v2-crash"))
    await box.until(lambda: crash_looping(box))
    for query in ({"previous": "true"}, {"container": "app", "tailLines": "50"}):
        assert await said(box, api_url, "FAULT_CRASH", **query)
    assert (await log_of(box, api_url, container="other"))[0] == 400
    events = (await box.client.list(EVENTS, "default", {"fieldSelector": "type=Warning"}))["items"]
    told = {event["reason"]: event["message"] for event in events}
    assert "failed container app" in told["BackOff"]


async def test_a_container_that_never_ran_has_no_log_and_says_why(box, api_url):
    await box.deploy(box.make_deployment("crash", "nowhere/app:v1"))
    await box.until(lambda: "waiting" in box.container("crash")["state"])
    status, text = await log_of(box, api_url)
    assert status == 400
    assert "is waiting to start" in text


@pytest.mark.kubectl
async def test_kubectl_logs_shows_and_follows_it(box, api_url, tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH")
    await box.deploy(box.make_deployment("app", "flask-app:v1"))
    await box.until(lambda: box.rolled_out("app"))
    command = ["kubectl", "--kubeconfig", str(tmp_path / "kubeconfig"), "logs", "deployment/app"]
    shown = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert b"version v1 starts" in (await shown.communicate())[0]
    followed = await asyncio.create_subprocess_exec(*command, "--follow", stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(20):
        assert await followed.stdout.readline()
    followed.kill()
    await followed.wait()
