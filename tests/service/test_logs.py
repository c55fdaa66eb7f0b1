"""Log lines as whoever collects them reads them: one JSON object a line."""

import json
import subprocess
import sys

LINES, THREADS = 2000, 4
TALKING = f"""
import logging
from concurrent.futures import ThreadPoolExecutor
import structlog
from canary_analyzer.service import logs

logs.configure()

def talk(number):
    for _ in range({LINES}):
        structlog.get_logger().info("of ours", thread=number)
        logging.getLogger("library").warning("of a library")

with ThreadPoolExecutor({THREADS}) as threads:
    list(threads.map(talk, range({THREADS})))
"""


def test_lines_stay_whole_however_many_threads_write_ours_and_those_of_libraries():
    talked = subprocess.run([sys.executable, "-c", TALKING], stderr=subprocess.PIPE, text=True, check=True)
    events = [json.loads(line)["event"] for line in talked.stderr.splitlines()]
    assert sorted(events) == ["of a library"] * LINES * THREADS + ["of ours"] * LINES * THREADS
