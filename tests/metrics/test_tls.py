"""Prometheus over TLS is believed by the certificates that the config names, and by no others."""

import shutil
import ssl
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from canary_analyzer.metrics import Credentials, MetricsUnavailable, PrometheusReader

FOUND = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"1"]}]}}'


class Found(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(FOUND)))
        self.end_headers()
        self.wfile.write(FOUND)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def certify(tmp_path_factory):
    """Make a key, and a certificate that it signs itself; gives the file of both."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl is not on PATH")

    def made(name):
        file = tmp_path_factory.mktemp("certificates") / name
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", file.with_suffix(".key")]
        subprocess.run([openssl, "req", *options, "-out", file, *subject], check=True, capture_output=True)
        return file

    return made


@contextmanager
def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Found) as server:
        server.handle_error = lambda *_: None  # the client has hung up
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_server_s_own_certificate_is_enough(certify):
    certificate = certify("prometheus")
    with serving(certificate) as url:
        assert PrometheusReader(url, credentials=Credentials(ca_file=certificate)).knew("up", 0.0)


def test_a_server_that_nobody_vouches_for_is_not_asked(certify):
    with serving(certify("prometheus")) as url:
        for credentials in (Credentials(), Credentials(ca_file=certify("another"))):
            with pytest.raises(MetricsUnavailable, match=r"cannot be reached: .*certificate verify failed"):
                PrometheusReader(url, credentials=credentials).knew("up", 0.0)
