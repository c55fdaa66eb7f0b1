import sys

import pytest

from canary_analyzer.sandbox.images import Image
from canary_analyzer.sandbox.node.launch import ConfigurationError, expand, launch

POD = {"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": {"nodeName": "sandbox"}}
IMAGE = Image(
    command=("python", "-m", "app", "$(HOST):$(PORT)"), environment={"COLOUR": "red", "SHADE": "dark $(COLOUR)"}
)


def launched(**container):
    return launch(POD, {"name": "app", **container}, IMAGE, "127.1.0.7")


def test_a_container_gets_its_address_port_and_name():
    result = launched(ports=[{"containerPort": 9000}])
    assert result.command == (sys.executable, "-m", "app", "127.1.0.7:9000")
    assert {name: result.environment[name] for name in ("HOST", "PORT", "HOSTNAME")} == {
        "HOST": "127.1.0.7",
        "PORT": "9000",
        "HOSTNAME": "p",
    }


def test_the_pods_env_goes_over_that_of_the_image():
    result = launched(env=[{"name": "COLOUR", "value": "blue"}, {"name": "SKY", "value": "$(COLOUR)"}])
    assert result.environment["COLOUR"] == result.environment["SKY"] == "blue"
    assert result.environment["SHADE"] == "dark red"


def test_the_downward_api_is_understood():
    variable = {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    assert launched(env=[variable]).environment["WHERE"] == "127.1.0.7"


@pytest.mark.parametrize(
    "container",
    [
        pytest.param({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, id="secret"),
        pytest.param({"envFrom": [{"configMapRef": {"name": "c"}}]}, id="envFrom"),
    ],
)
def test_what_a_sandbox_node_cannot_give_is_refused(container):
    with pytest.raises(ConfigurationError):
        launched(**container)


def test_command_replaces_and_args_are_appended():
    assert launched(command=["sleep"], args=["$(PORT)"]).command == ("sleep", "8080")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)-$(A)", "1-1"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("100 $", "100 $")],
)
def test_references_are_expanded_as_in_kubernetes(text, expected):
    assert expand(text, {"A": "1"}) == expected
