import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from canary_analyzer.sandbox.control import kill_children


def test_a_pod_is_killed_while_threads_of_the_sandbox_come_and_go():
    """A thread that ends between being listed and being asked for its children is the kernel's usual business."""
    done = Event()

    def churn():
        while not done.is_set():
            with ThreadPoolExecutor(20) as brief:
                list(brief.map(lambda _: None, range(20)))

    with ThreadPoolExecutor(3) as pool:
        churning = [pool.submit(churn) for _ in range(3)]
        try:
            for _ in range(1000):
                assert kill_children("HOST=127.1.0.1") == 0
        finally:
            done.set()
    assert all(each.exception() is None for each in churning)


def test_only_the_pod_with_the_address_is_killed():
    started = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, "HOST": host}, start_new_session=True)
        for host in ("127.1.0.1", "127.1.0.11")
    ]
    try:
        assert kill_children("HOST=127.1.0.1") == 1
        assert (started[0].wait(10), started[1].poll()) == (-9, None)
    finally:
        for each in started:
            each.kill()
            each.wait()
