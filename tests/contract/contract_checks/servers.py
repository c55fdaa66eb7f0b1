"""API servers to check: the emulator in a thread, and a real kube-apiserver with its etcd."""

import asyncio
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
import yaml

from canary_analyzer.sandbox.api import ApiServer
from contract_checks.api import Api

Document = dict[str, Any]


@contextmanager
def emulator(folder: Path) -> Iterator[Path]:
    """The emulator in a thread of its own, as the synchronous client needs it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ApiServer(bookmark_seconds=0.2)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    server.write_kubeconfig(folder / "kubeconfig")
    yield folder / "kubeconfig"
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@contextmanager
def kube_apiserver(assets: Path, folder: Path) -> Iterator[Path]:
    """A real kube-apiserver with its etcd, started as envtest starts them."""
    etcd, peer, port = (free_port() for _ in range(3))
    key, tokens, token = folder / "sa.key", folder / "tokens.csv", secrets.token_hex(16)
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    tokens.write_text(f"{token},admin,admin,system:masters\n")
    etcd_url = f"http://127.0.0.1:{etcd}"
    commands = [
        [
            str(assets / "etcd"),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ],
        [
            str(assets / "kube-apiserver"),
            f"--etcd-servers={etcd_url}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
        ],
    ]
    with (folder / "log").open("w") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(credentials(f"https://127.0.0.1:{port}", token)))
            wait_ready(kubeconfig, folder / "log")
            yield kubeconfig
        finally:
            # Nothing is kept, and a polite kube-apiserver takes its time.
            for process in processes:
                process.kill()
                process.wait()


def credentials(url: str, token: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }


def wait_ready(kubeconfig: Path, log: Path) -> None:
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        api = Api(kubeconfig, "default")
        try:
            if api.send("GET", "/readyz").status == 200 and api.send("GET", "/api/v1/namespaces/default").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        finally:
            api.close()
        time.sleep(0.2)
    raise TimeoutError(f"kube-apiserver did not become ready:\n{log.read_text()[-4000:]}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
