import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from canary_analyzer.sandbox.node.reaper import Reaper

# A shell that starts a grandchild in a session of its own, which outlives every process group.
FAMILY = ["sh", "-c", "setsid sleep 1000 & sleep 1000"]
OWNER = f"""
import asyncio, os, subprocess, sys, time
from canary_analyzer.sandbox.node.reaper import Reaper
reaper = Reaper()
family = subprocess.Popen({FAMILY!r}, env={{**os.environ, **reaper.mark}}, start_new_session=True)
print(reaper.directory, family.pid, flush=True)
time.sleep(1000)
"""


def sleepers(mark):
    wanted = "=".join(next(iter(mark.items()))).encode()
    return [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and wanted in environment(pid)]


def environment(pid):
    try:
        return (pid / "environ").read_bytes()
    except OSError:
        return b""


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_carries_the_mark_ends_with_the_reaper_and_so_does_its_directory():
    async with Reaper() as reaper:
        (reaper.directory / "a.log").write_text("x")
        family = subprocess.Popen(FAMILY, env={**os.environ, **reaper.mark}, start_new_session=True)
        await until(lambda: len(sleepers(reaper.mark)) == 3)
    assert sleepers(reaper.mark) == []
    assert family.wait() == -signal.SIGKILL
    assert not reaper.directory.exists()


async def test_an_owner_that_is_killed_leaves_nothing_behind():
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    directory, family = owner.stdout.readline().split()
    assert Path(directory).exists()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    await until(lambda: not Path(directory).exists())
    await until(lambda: not Path(f"/proc/{family}").exists() or "Z" in Path(f"/proc/{family}/stat").read_text())
