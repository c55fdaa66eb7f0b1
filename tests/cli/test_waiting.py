"""`wait` and `watch`: their exit codes, and how a run shows itself in a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase

HEALTHY, UNSURE = Decision.HEALTHY.value, Decision.INCONCLUSIVE.value
COLOURS = re.compile(r"\x1b\[[0-9;]*3[1-7]m")
PLUGIN = (sys.executable, "-c", "from canary_analyzer.cli.plugin import main; main()")
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize(
    ("until", "phase", "fields", "code", "outcome"),
    [
        pytest.param("end", Phase.SUCCEEDED, {}, 0, "promoted", id="promoted"),
        pytest.param("end", Phase.ABORTED, {"cause": Cause.JUDGED_WORSE}, 1, "aborted", id="aborted"),
        pytest.param("end", Phase.ABORTED, {"cause": Cause.WITHDRAWN}, 1, "aborted", id="aborted by a user"),
        pytest.param("end", Phase.ABORTED, {}, 1, "aborted", id="aborted, by a record from before causes"),
        pytest.param("end", Phase.ABORTED, {"cause": Cause.UNDECIDED}, 2, "inconclusive", id="no verdict"),
        pytest.param("end", Phase.ANALYSING, {}, 124, "timed out", id="still under way"),
        pytest.param("end", Phase.PROMOTING, {}, 124, "timed out", id="promoting is no end"),
        pytest.param("verdict", Phase.PROMOTING, {}, 0, "promoted", id="decided to promote"),
        pytest.param("verdict", Phase.ABORTING, {"cause": Cause.JUDGED_WORSE}, 1, "aborted", id="decided to abort"),
        pytest.param("verdict", Phase.ABORTING, {"cause": Cause.UNDECIDED}, 2, "inconclusive", id="decided, unsure"),
        pytest.param(
            "verdict",
            Phase.AWAITING_APPROVAL,
            {"conclusion": "fine", "verdict": HEALTHY},
            0,
            "healthy",
            id="healthy, waits for approval",
        ),
        pytest.param(
            "verdict",
            Phase.AWAITING_APPROVAL,
            {"conclusion": "hm", "verdict": UNSURE},
            2,
            "inconclusive",
            id="unsure, waits for approval",
        ),
        pytest.param(
            "verdict", Phase.AWAITING_APPROVAL, {}, 124, "timed out", id="waits for approval before a verdict"
        ),
    ],
)
def test_wait_says_by_its_exit_code_how_a_run_ended(shop, canary, until, phase, fields, code, outcome):
    shop.run(phase, **fields)
    told = canary("wait", "app", "--for", until, "--timeout", "0", "--json")
    assert told.exit_code == code
    document = json.loads(told.stdout)
    assert (document["outcome"], document["exit_code"], document["run"]["run"]) == (outcome, code, "app-1")


def test_wait_for_what_the_service_refused(shop, canary):
    shop.annotate(status=json.dumps({"run": "", "phase": "Refused", "reason": "no Service"}))
    told = canary("wait", "app", "--timeout", "0")
    assert (told.exit_code, told.stdout) == (1, "the request refused: no Service\n")


def test_a_refusal_of_long_ago_is_not_the_answer_to_a_new_wish(shop, canary):
    shop.annotate(image="app:v2", status=json.dumps({"run": "", "phase": "Refused", "reason": "no Service"}))
    assert canary("wait", "app", "--timeout", "0").exit_code == 124


def test_wait_ends_when_the_run_does(shop, canary):
    record = shop.run()
    later = threading.Timer(
        0.5, shop.becomes, (record, Phase.ABORTED), {"cause": Cause.JUDGED_WORSE, "reason": "worse"}
    )
    later.start()
    told = canary("wait", "app", "--timeout", "20s")
    later.join()
    assert (told.exit_code, told.stdout) == (1, "app-1 aborted: worse\n")


def test_watch_without_a_terminal_tells_the_story_line_by_line(shop, canary):
    record = shop.run()
    later = threading.Timer(0.5, shop.becomes, (record, Phase.SUCCEEDED), {"reason": "healthy\x1b[2J"})
    later.start()
    told = canary("watch", "app")
    later.join()
    assert told.exit_code == 0
    assert "\x1b" not in told.stdout
    assert [line.split()[1] for line in told.stdout.splitlines()[:3]] == ["Starting", "Analysing", "Succeeded"]
    assert told.stdout.splitlines()[-1].startswith("app-1 promoted: healthy")


def test_watch_gives_programs_an_object_for_each_change(shop, emulator):
    record = shop.run()
    words = ["watch", "app", "--json", "--kubeconfig", str(emulator.kubeconfig)]
    with subprocess.Popen([*PLUGIN, *words], stdout=subprocess.PIPE, text=True) as watching:
        first = watching.stdout.readline()
        shop.becomes(record, Phase.SUCCEEDED)
        told = [first, *watching.stdout]
    assert [json.loads(line)["phase"] for line in told] == ["Analysing", "Succeeded"]


def in_terminal(columns, *words, **env):
    """Run `kubectl canary` in a pseudo-terminal; return all it wrote, and its exit code."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    settings = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment = {**settings, "TERM": "xterm-256color", **env}
    process = subprocess.Popen([*PLUGIN, *words], stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    written = b""
    until = time.monotonic() + 60
    while time.monotonic() < until and select.select([leader], [], [], 30)[0]:
        try:
            written += os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
    os.close(leader)
    return written.decode(), process.wait(10)


@pytest.mark.parametrize(
    ("columns", "settings", "coloured"),
    [pytest.param(80, {}, True, id="80 columns"), pytest.param(200, {"NO_COLOR": "1"}, False, id="200, no colours")],
)
def test_watch_fits_its_terminal(shop, emulator, columns, settings, coloured):
    reason = "errors: 40 of 100 against 0 of 900"
    shop.run(Phase.ABORTED, cause=Cause.JUDGED_WORSE, reason=reason, images={"app": "v" * 300})
    text, code = in_terminal(columns, "watch", "app", "--kubeconfig", str(emulator.kubeconfig), **settings)
    assert code == 1
    assert bool(COLOURS.search(text)) is coloured
    plain = STEERING.sub("", text)
    assert max(map(len, plain.splitlines())) <= columns
    for part in (
        "app-1",
        "Aborted",
        "wanted 0 %",
        "route -",
        "seen 10.0 %",
        "errors",
        "█",
        "+2.00 (-1.00 to +5.00) pp",
        "Why: errors: 40 of 100",
        "Next:",
    ):
        assert part in plain
    assert ("3 of 100 against 2 of 900" in plain) is (columns == 200)
