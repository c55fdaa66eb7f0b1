import pytest

from canary_analyzer.sandbox.load.tally import Loss, LossKind, Tally, kind_of

KILLS = {"web-1": [100.0, 300.0]}


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (Loss(time=100.01, seconds=0.5, cause="", pod="web-1", flags="UC"), LossKind.IN_FLIGHT_ON_KILLED),
        (Loss(time=99.99, seconds=0.5, cause="", pod="web-1", flags="UC"), LossKind.IN_FLIGHT_ON_KILLED),
        (Loss(time=300.01, seconds=0.5, cause="", pod="web-1", flags="UC"), LossKind.IN_FLIGHT_ON_KILLED),
        (Loss(time=100.02, seconds=0.01, cause="", pod="web-1", flags="UC"), LossKind.IN_FLIGHT_ON_KILLED),
        (Loss(time=100.2, seconds=0.1, cause="", pod="web-1", flags="UF,URX"), LossKind.SENT_TO_KILLED),
        (Loss(time=120.0, seconds=0.1, cause="", pod="web-1", flags="UC"), LossKind.SENT_TO_KILLED),
        (Loss(time=180.0, seconds=0.1, cause="", pod="web-1", flags="UC"), LossKind.OTHER),
        (Loss(time=90.0, seconds=0.1, cause="", pod="web-1", flags="UC"), LossKind.OTHER),
        (Loss(time=100.01, seconds=0.5, cause="", pod="web-2", flags="UC"), LossKind.OTHER),
        (Loss(time=100.01, seconds=0.5, cause="", flags="UH"), LossKind.NO_POD),
        (Loss(time=100.01, seconds=0.5, cause="TimeoutError"), LossKind.OTHER),
    ],
    ids=[
        "in-flight",
        "before-the-word",
        "killed-again",
        "between-the-order-and-the-end",
        "sent-later",
        "back-again",
        "much-later",
        "before",
        "another-pod",
        "no-pod",
        "no-answer",
    ],
)
def test_a_loss_is_told_from_others_by_pod_time_and_what_the_proxy_says(loss, kind):
    assert kind_of(loss, KILLS) is kind


def test_the_summary_counts_every_kind_of_loss():
    tally = Tally()
    for flags in ("UC", "UC", "UH"):
        tally.lose(Loss(time=100.0, seconds=0.1, cause="503", pod="web-1" if flags == "UC" else "", flags=flags))
    tally.killed("web-1", 100.0)
    summary = tally.summary()
    assert summary["lost_by_kind"] == {
        "in_flight_on_killed_pod": 2,
        "sent_to_killed_pod": 0,
        "no_pod_to_send_to": 1,
        "other": 0,
    }
    assert sum(summary["lost_by_kind"].values()) == summary["lost"] == summary["sent"]
