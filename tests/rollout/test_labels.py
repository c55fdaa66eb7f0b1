import pytest

from canary_analyzer.rollout.labels import LabelChange, Unlabelable, choose_label


def deployment(labels, selector=None):
    """Selects on all labels of its pods unless told otherwise."""
    chosen = {"matchLabels": labels} if selector is None else selector
    return {"metadata": {"name": "web"}, "spec": {"selector": chosen, "template": {"metadata": {"labels": labels}}}}


def neighbour(kind, spec, name="other"):
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def service(selector, name="web"):
    return neighbour("Service", {"selector": selector}, name)


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


APP, TRACK = {"app": "web"}, {"app": "web", "track": "stable"}
ZONE = {"app": "web", "zone": "a"}


@pytest.mark.parametrize(
    ("labels", "selector", "selected_by_service", "expected"),
    [
        pytest.param(TRACK, None, TRACK, ("track", "canary"), id="track is preferred"),
        pytest.param(APP, None, APP, ("app", "web-canary"), id="the only one there is"),
        pytest.param(ZONE, None, ZONE, ("zone", "a-canary"), id="identity labels come last"),
        pytest.param(
            TRACK, {"matchLabels": APP}, TRACK, ("app", "web-canary"), id="Deployment does not select on track"
        ),
        pytest.param(TRACK, None, APP, ("app", "web-canary"), id="Service does not select on track"),
        pytest.param({"track": "canary"}, None, {"track": "canary"}, ("track", "canary-canary"), id="canary is taken"),
        pytest.param(APP, expression("app", "In", "web"), APP, ("app", "web-canary"), id="In"),
        pytest.param(
            TRACK, expression("track", "In", "stable", "canary"), TRACK, ("track", "stable-canary"), id="In with canary"
        ),
        pytest.param({"app": ""}, None, {"app": ""}, ("app", "canary"), id="empty value"),
    ],
)
def test_the_label_is_one_that_service_and_deployment_select_on(labels, selector, selected_by_service, expected):
    change = choose_label(deployment(labels, selector), service(selected_by_service), [])
    assert (change.key, change.value) == expected


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param(expression("app", "Exists"), id="Exists"),
        pytest.param(expression("app", "NotIn", "other"), id="NotIn"),
        pytest.param(expression("canary", "DoesNotExist"), id="DoesNotExist"),
        pytest.param({}, id="everything"),
    ],
)
def test_a_selector_that_would_go_on_matching_is_no_use(selector):
    """A HorizontalPodAutoscaler counts pods by the Deployment's selector, whoever owns them."""
    with pytest.raises(Unlabelable, match="would still select pods with app=web-canary"):
        choose_label(deployment(APP, selector), service(APP), [])


ON_TRACK = {"track": "stable"}
SELECTING_ON_TRACK = [
    pytest.param(service(ON_TRACK, name="metrics"), id="another Service"),
    pytest.param(service({"track": "canary"}, name="preview"), id="a Service that would gain pods"),
    pytest.param(neighbour("AuthorizationPolicy", {"selector": {"matchLabels": ON_TRACK}}), id="AuthorizationPolicy"),
    pytest.param(neighbour("PeerAuthentication", {"selector": {"matchLabels": ON_TRACK}}), id="PeerAuthentication"),
    pytest.param(neighbour("PodDisruptionBudget", {"selector": {"matchLabels": ON_TRACK}}), id="PodDisruptionBudget"),
    pytest.param(
        neighbour("PodDisruptionBudget", {"selector": expression("track", "NotIn", "canary", "stable-canary")}),
        id="PodDisruptionBudget by expression",
    ),
    pytest.param(neighbour("NetworkPolicy", {"podSelector": {"matchLabels": ON_TRACK}}), id="NetworkPolicy"),
    pytest.param(
        neighbour(
            "NetworkPolicy", {"podSelector": APP, "ingress": [{"from": [{"podSelector": {"matchLabels": ON_TRACK}}]}]}
        ),
        id="NetworkPolicy that lets stable pods in elsewhere",
    ),
    pytest.param(
        neighbour(
            "NetworkPolicy", {"podSelector": {}, "egress": [{}, {"to": [{"podSelector": {"matchLabels": ON_TRACK}}]}]}
        ),
        id="NetworkPolicy that lets others out to stable pods",
    ),
]


@pytest.mark.parametrize("other", SELECTING_ON_TRACK)
def test_a_label_that_something_else_selects_on_is_passed_over(other):
    change = choose_label(deployment(TRACK), service(TRACK), [other])
    assert change in (LabelChange(key="app", value="web-canary"), LabelChange(key="track", value="stable-canary"))


@pytest.mark.parametrize("other", SELECTING_ON_TRACK)
def test_items_of_an_api_list_are_understood_without_their_kind(other):
    bare = {key: value for key, value in other.items() if key != "kind"}
    assert choose_label(deployment(TRACK), service(TRACK), [bare]) != LabelChange(key="track", value="canary")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(service(TRACK), id="the stable Service itself"),
        pytest.param(service(APP, name="all"), id="a Service on other labels"),
        pytest.param(
            service({"app": "api", "track": "stable"}, name="api"), id="another app's Service on the same key"
        ),
        pytest.param(neighbour("Service", {"type": "ExternalName"}), id="a Service without selector"),
        pytest.param(neighbour("AuthorizationPolicy", {}), id="a policy for the whole namespace"),
        pytest.param(
            neighbour("NetworkPolicy", {"podSelector": {}, "ingress": None}), id="a NetworkPolicy for all pods"
        ),
        pytest.param(
            neighbour("NetworkPolicy", {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {}}]}]}), id="ipBlock"
        ),
        pytest.param(
            neighbour("PodDisruptionBudget", {"selector": {"matchLabels": APP}}), id="a budget on other labels"
        ),
    ],
)
def test_what_selects_canary_and_stable_pods_alike_is_no_obstacle(other):
    assert choose_label(deployment(TRACK), service(TRACK), [other]) == LabelChange(key="track", value="canary")


def test_where_no_label_will_do_the_refusal_names_each_obstacle_and_the_way_out():
    budget = neighbour("PodDisruptionBudget", {"selector": {"matchLabels": APP}}, name="web-budget")
    with pytest.raises(Unlabelable) as caught:
        choose_label(deployment(TRACK, {"matchLabels": APP}), service(TRACK), [budget])
    assert "would still select pods with track=canary" in caught.value.reason
    assert "PodDisruptionBudget web-budget selects on app" in caught.value.reason
    assert "track: stable" in caught.value.remedy
    assert str(caught.value) == f"{caught.value.reason}. {caught.value.remedy}"


@pytest.mark.parametrize("selector", [{}, {"app": "api"}])
def test_a_service_that_does_not_select_the_pods_is_refused(selector):
    with pytest.raises(Unlabelable, match="Service web does not select the pods of Deployment web"):
        choose_label(deployment(APP), service(selector), [])


def budget(selector):
    return {"metadata": {"name": "web-budget"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": selector}}}


BUDGETS = {
    "it selects on the label too": (TRACK, ("track", "canary")),
    "it selects on another label": (APP, ("app", "web-canary")),
    "it selects other pods": ({"app": "api"}, ("track", "canary")),
}


@pytest.mark.parametrize(("selector", "expected"), BUDGETS.values(), ids=BUDGETS)
def test_stable_s_disruption_budget_never_counts_canary_pods(selector, expected):
    change = choose_label(deployment(TRACK), service(TRACK), [], [budget(selector)])
    assert (change.key, change.value) == expected


def test_a_budget_that_the_canary_cannot_leave_is_a_refusal_with_the_way_out():
    policy = neighbour("NetworkPolicy", {"podSelector": {"matchLabels": APP}})
    with pytest.raises(Unlabelable) as caught:
        choose_label(deployment(TRACK), service(TRACK), [policy], [budget(APP)])
    assert "PodDisruptionBudget web-budget would count pods with track=canary" in caught.value.reason
    assert "of its PodDisruptionBudget" in caught.value.remedy
