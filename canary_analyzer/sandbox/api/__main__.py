"""`python -m canary_analyzer.sandbox.api --port 0 --kubeconfig FILE`: the API server alone."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from canary_analyzer.sandbox.api.server import ApiServer


async def serve(port: int, file: Path | None) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with ApiServer(port=port) as server:
        if file:
            server.write_kubeconfig(file)
        print(server.url, flush=True)
        await stop.wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="A Kubernetes API server in memory, on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) lets the system choose")
    parser.add_argument("--kubeconfig", type=Path, help="write a kubeconfig that leads to the server into this file")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.kubeconfig))


if __name__ == "__main__":
    main()
