"""Settings of gunicorn: `gunicorn --config python:flask_app.server 'flask_app.app:create_app()'`.

One process with threads: an instance spends its time waiting, and one process per pod keeps one set of metrics.
"""

import os
from threading import Timer
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

from flask_app.app import STOPPING
from flask_app.settings import from_environment


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Goes unready first and goes on serving: whoever has not heard of it yet still gets an answer.

    After `DRAIN_SECONDS` it stops accepting, and gunicorn finishes the requests in flight.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM."""
        if STOPPING.is_set():
            return
        STOPPING.set()
        timer = Timer(DRAIN_SECONDS, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()


DRAIN_SECONDS = from_environment(os.environ).drain_seconds
bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"  # noqa: S104  (a container's address)
worker_class = DrainingWorker
workers = 1
threads = 32
# Longer than the proxy's idle timeout, so that it is never the server who closes a connection that is being reused.
keepalive = 75
# Kubernetes kills after 30 s; leave time to say goodbye.
graceful_timeout = 25
preload_app = True
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  (a heartbeat must not wait for a disk)
loglevel = "warning"
