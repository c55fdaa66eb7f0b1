import pytest

from canary_analyzer.rollout.phases import ENDED, TRANSITIONS, Event, Phase, next_phase


def test_every_pair_that_the_table_lacks_is_an_error():
    for phase in Phase:
        for event in Event:
            if (phase, event) not in TRANSITIONS:
                with pytest.raises(LookupError, match=phase):
                    next_phase(phase, event)


def test_nothing_leads_out_of_an_ended_phase():
    assert not {phase for phase, _ in TRANSITIONS} & ENDED


def test_every_phase_but_the_first_can_be_reached_and_every_one_leads_to_an_end():
    assert set(TRANSITIONS.values()) == set(Phase) - {Phase.PENDING}
    leading_to_an_end = set(ENDED)
    for _ in Phase:
        leading_to_an_end |= {phase for (phase, _), following in TRANSITIONS.items() if following in leading_to_an_end}
    assert leading_to_an_end == set(Phase)


def test_traffic_can_be_sent_back_from_wherever_the_canary_may_be_in_the_route():
    routed = {Phase.STARTING, Phase.ANALYSING, Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PROMOTING}
    assert {phase for phase, event in TRANSITIONS if event is Event.ABORT} == routed
