"""What a selector with places may be, and what is said of one that may not."""

import pytest

from canary_analyzer.rollout.templates import BadTemplateError, parse


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        pytest.param('a_total{app="{{workload}}"}', [("app", "=", "{{workload}}")], id="one place"),
        pytest.param(
            ' a:b_total { app = "{{ service }}" , code !~ "5..", } ',
            [("app", "=", "{{ service }}"), ("code", "!~", "5..")],
            id="spaces, and a comma at the end",
        ),
        pytest.param(
            r'a{app="{{namespace}}/{{workload}}",x="q\"\\"}',
            [("app", "=", "{{namespace}}/{{workload}}"), ("x", "=", 'q"\\')],
            id="two places in one string, and quotes",
        ),
        pytest.param('a{pod=~"{{pods}}"}', [("pod", "=~", "{{pods}}")], id="pods"),
    ],
)
def test_templates_are_selectors_with_places(text, matchers):
    parsed = parse(text)
    assert [(one.label, one.operator, one.text) for one in parsed.matchers] == matchers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a_total", "give one selector of series", id="no conditions"),
        pytest.param('rate(a{app="{{workload}}"}[1m])', "without functions", id="a function"),
        pytest.param('a{app="{{workload}}"} or b{app="{{workload}}"}', "cannot read", id="two selectors"),
        pytest.param('a{app="{{workload}}"}[5m]', "give one selector", id="a range"),
        pytest.param('{app="{{workload}}"}', "give one selector", id="no name"),
        pytest.param('a{app="web"}', "no place for an arm's name", id="no place"),
        pytest.param('a{namespace="{{namespace}}"}', "no place for an arm's name", id="both arms have that"),
        pytest.param("a{app={{workload}}}", "cannot read", id="a place outside of strings"),
        pytest.param("a{app='{{workload}}'}", "double quotes", id="other quotes"),
        pytest.param('a{{{workload}}="x"}', "cannot read", id="a place for a label"),
        pytest.param('a{app="{{target}}"}', "there is no name 'target'", id="an unknown name"),
        pytest.param('a{app=~"{{workload}}-.*"}', 'write app="..."', id="a name in a pattern"),
        pytest.param('a{app!="{{workload}}"}', 'write app="..."', id="all but a name"),
        pytest.param('a{pod=~"x-{{pods}}"}', 'write pod=~"{{pods}}"', id="pods among other text"),
        pytest.param('a{pod="{{pods}}"}', 'write pod=~"{{pods}}"', id="pods compared"),
        pytest.param('a{__name__="b",app="{{workload}}"}', "before the braces", id="the name as a label"),
        pytest.param('a_bucket{le="1",app="{{workload}}"}', "all buckets are read", id="a single bucket"),
        pytest.param(r'a{app="{{workload}}",x="\d"}', "cannot read", id="no escape that Go knows"),
        pytest.param(r'a{app="{{workload}}",x="\ud800"}', "cannot read", id="half a character"),
    ],
)
def test_what_is_no_template_is_refused_with_the_reason(text, reason):
    with pytest.raises(BadTemplateError) as refusal:
        parse(text)
    assert reason in str(refusal.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(BadTemplateError, match=r"le: .*; app: .*; pod: "):
        parse('a{le="1",app="{{target}}",pod="{{pods}}"}')
