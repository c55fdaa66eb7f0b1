from copy import deepcopy

import pytest

from canary_analyzer.rollout.annotations import BASELINE, CONFIG, IMAGE, REQUEST
from canary_analyzer.rollout.byo_plan import Brought, is_asked, plan
from canary_analyzer.rollout.plan import Offers, Refused, Surroundings
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.sibling import template_hash

OFFERS = Offers(profiles=PROFILES)


def deployment(name, image, version, **annotations):
    labels = {"app": "web", "version": version}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": annotations},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}},
        },
    }


STABLE = deployment("web", "app:v1", "stable")
SPARE = STABLE | {"spec": STABLE["spec"] | {"replicas": 3, "strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}}
CANARY = deployment("web-next", "app:v2", "next", **{BASELINE: "web"})
SERVICE = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}}}
SUBSETS = [{"name": version, "labels": {"version": version}} for version in ("stable", "next")]
RULE = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"host": "web", "subsets": SUBSETS}}


def route(*subsets):
    destinations = [{"destination": {"host": "web", "subset": s}, "weight": w} for s, w in subsets]
    return {
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"hosts": ["web"], "http": [{"route": destinations}]},
    }


BOTH = route(("stable", 100), ("next", 0))


@pytest.fixture
def brought(make):
    def build(*, canary=CANARY, stable=STABLE, routed=BOTH, busy="", **workload):
        around = Surroundings(
            workload=make.workload({"app": "app:v2"}),
            services=[SERVICE],
            routes=[routed],
            destination_rules=[RULE],
            neighbours=[],
            deployments=[each for each in (stable, canary) if each is not None],
        )
        seen = make.workload(**workload) if stable is not None else None
        return Brought(canary=canary, stable=stable, stable_workload=seen, around=around, busy=busy)

    return build


def with_container(name):
    canary = deepcopy(CANARY)
    canary["spec"]["template"]["spec"]["containers"][0]["name"] = name
    return canary


def annotated(**annotations):
    canary = deepcopy(CANARY)
    canary["metadata"]["annotations"] |= annotations
    return canary


def test_the_run_belongs_to_the_canary_and_moves_weights_between_the_user_s_destinations(brought):
    run = plan(brought(), OFFERS, 1, 0.0)
    assert (run.deployment, run.stable, run.canary) == ("web-next", "web", "web-next")
    assert (run.target.stable_subsets, run.target.canary_subset, run.target.brought) == (("stable",), "next", True)
    assert (run.images, run.stable_images) == ({"app": "app:v2"}, {"app": "app:v1"})
    assert [str(each) for each in run.routes] == ["VirtualService default/web"]


REFUSED = {
    # what is there -> what is said
    "no such baseline": ({"stable": None}, "there is no such Deployment in this namespace"),
    "itself": ({"canary": annotated(**{BASELINE: "web-next"})}, "that is the canary itself"),
    "the same images": ({"canary": deployment("web-next", "app:v1", "next", **{BASELINE: "web"})}, "the same images"),
    "containers named apart": (
        {"canary": with_container("next")},
        r"no container of web-next \(next\) has the name of one of web \(app\).*: name them alike",
    ),
    "stable is rolling out": ({"available": 1}, "not fully rolled out"),
    "stable would lose all pods at once": ({"stable": SPARE}, "maxUnavailable 3 of 3 replicas"),
    "no route to both": ({"routed": route(("stable", 100))}, "Add a destination for web-next with weight 0"),
    "another run": ({"busy": "web-7"}, "run web-7 compares with web just now"),
    "two triggers": ({"canary": annotated(**{IMAGE: "app:v3"})}, "remove one of the two"),
    "a policy with a mistake": ({"canary": annotated(**{CONFIG: "{tick: 1}"})}, "tick: there is no such field"),
}


@pytest.mark.parametrize(("there", "says"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_when(brought, there, says):
    with pytest.raises(Refused, match=says):
        plan(brought(**there), OFFERS, 1, 0.0)


def test_all_objections_are_told_at_once(brought):
    with pytest.raises(Refused) as refused:
        plan(brought(available=1, routed=route(("stable", 100)), canary=annotated(**{IMAGE: "x"})), OFFERS, 1, 0.0)
    assert len(refused.value.reasons) == 3


ASKED = {
    # canary, its workload, template and request of an ended run -> whether a run is due
    "Available for the first time": (CANARY, {}, None, True),
    "not Available yet": (CANARY, {"available": 2}, None, False),
    "scaled to nothing": (CANARY, {"replicas": 0}, None, False),
    "judged before": (CANARY, {}, (template_hash(CANARY), None), False),
    "another template was judged": (CANARY, {}, ("other", None), True),
    "asked for again": (annotated(**{REQUEST: "two"}), {}, (template_hash(CANARY), "one"), True),
    "asked for already": (annotated(**{REQUEST: "one"}), {}, (template_hash(CANARY), "one"), False),
    "no longer annotated": (STABLE, {}, None, False),
}


@pytest.mark.parametrize(("canary", "size", "ended", "due"), ASKED.values(), ids=ASKED)
def test_a_template_is_judged_once(make, canary, size, ended, due):
    runs = [make.run(canary_template=ended[0], request=ended[1])] if ended is not None else []
    assert is_asked(canary, make.workload(**size), runs) is due
