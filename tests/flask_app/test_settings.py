import pytest

from flask_app.settings import Faults, Settings, from_environment


def test_an_empty_environment_is_a_good_version():
    assert from_environment({}) == Settings()


def test_every_fault_can_be_switched_on():
    environment = {
        "APP_VERSION": "v9",
        "FAULT_ERROR_RATE": "0.1",
        "FAULT_LATENCY_FACTOR": "1.5",
        "FAULT_TAIL_SHARE": "0.03",
        "FAULT_TAIL_FACTOR": "6",
        "FAULT_LEAK_PER_1000": "2",
        "FAULT_CRASH": "true",
        "FAULT_NEVER_READY": "1",
    }
    settings = from_environment(environment)
    assert settings.version == "v9"
    assert settings.faults == Faults(
        error_rate=0.1,
        latency_factor=1.5,
        tail_share=0.03,
        tail_factor=6,
        leak_per_1000=2,
        crash=True,
        never_ready=True,
    )


def test_all_mistakes_are_reported_at_once():
    environment = {"FAULT_ERROR_RATE": "10", "FAULT_CRASH": "perhaps", "DRAIN_SECONDS": "inf", "LATENCY_SIGMA": "x"}
    with pytest.raises(ValueError, match="FAULT_CRASH") as error:
        from_environment(environment)
    assert [mistake.split(":")[0] for mistake in str(error.value).split("; ")] == sorted(environment)
