"""The load client as a process of its own, which shows its counts on a Unix socket.

    python -m canary_analyzer.sandbox.load --socket PATH --url URL --host HOST --rps RATE

GET /load, GET /load/lost, POST /load?rps=RATE&slow_every=N&slow_seconds=S, POST /load/killed?pod=NAME&at=UNIX_SECONDS.
"""

import argparse
import asyncio
import time

from aiohttp import web

from canary_analyzer.sandbox.load.client import LoadClient, session


def application(client: LoadClient) -> web.Application:
    """The counts, and the rate that may be changed."""

    async def counts(_: web.Request) -> web.Response:
        return web.json_response(client.tally.summary())

    async def losses(_: web.Request) -> web.Response:
        return web.json_response(client.tally.remembered())

    async def change(request: web.Request) -> web.Response:
        query = request.query
        try:
            if "slow_every" in query:
                client.set_slow(int(query["slow_every"]), float(query.get("slow_seconds", 0)))
            if "rps" in query or "slow_every" not in query:
                client.set_rate(float(query.get("rps", "")))
        except ValueError as error:
            return web.json_response({"error": f"rps, slow_every, slow_seconds: {error}"}, status=400)
        return web.json_response(client.tally.summary())

    async def killed(request: web.Request) -> web.Response:
        client.tally.killed(request.query["pod"], float(request.query.get("at", time.time())))
        return web.json_response({})

    app = web.Application()
    app.add_routes(
        [
            web.get("/load", counts),
            web.get("/load/lost", losses),
            web.post("/load", change),
            web.post("/load/killed", killed),
        ]
    )
    return app


async def serve(socket: str, url: str, host: str, rate: float) -> None:
    """Send and show until cancelled."""
    async with session() as http:
        client = LoadClient(http, url, host, rate)
        runner = web.AppRunner(application(client), access_log=None)
        await runner.setup()
        await web.UnixSite(runner, socket).start()
        try:
            await client.run()
        finally:
            await runner.cleanup()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="canary_analyzer.sandbox.load", description="Steady client of the ingress.")
    parser.add_argument("--socket", required=True, help="Unix socket to answer on")
    parser.add_argument("--url", required=True, help="what to GET")
    parser.add_argument("--host", required=True, help="Host header")
    parser.add_argument("--rps", type=float, required=True, help="requests per second")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.socket, arguments.url, arguments.host, arguments.rps))


if __name__ == "__main__":
    main()
