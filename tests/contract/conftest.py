"""The API server under test: emulator, KUBEBUILDER_ASSETS, or CANARY_ANALYZER_TEST_KUBECONFIG."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# The asserts of the table shall explain themselves like those of tests.
pytest.register_assert_rewrite("contract_checks")

from contract_checks.api import Api, install_istio_kinds  # noqa: E402
from contract_checks.servers import emulator, kube_apiserver  # noqa: E402


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    given, assets = os.environ.get("CANARY_ANALYZER_TEST_KUBECONFIG"), os.environ.get("KUBEBUILDER_ASSETS")
    folder = tmp_path_factory.mktemp("cluster")
    if given:
        yield Path(given)
    elif assets:
        with kube_apiserver(Path(assets), folder) as file:
            yield file
    else:
        with emulator(folder) as file:
            yield file


@pytest.fixture(scope="session")
def prepared(kubeconfig: Path) -> Path:
    api = Api(kubeconfig, "default")
    install_istio_kinds(api)
    api.close()
    return kubeconfig


_numbers = itertools.count()


@pytest.fixture
def api(prepared: Path) -> Iterator[Api]:
    namespace = f"contract-{os.getpid()}-{next(_numbers)}"
    made = Api(prepared, namespace)
    made.ok("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    yield made
    made.send("DELETE", f"/api/v1/namespaces/{namespace}")
    made.close()
