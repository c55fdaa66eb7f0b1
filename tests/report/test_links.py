import pytest
from pydantic import ValidationError

from canary_analyzer.report.links import LinkTemplate, links_of


def test_values_are_put_in_url_encoded(make):
    template = LinkTemplate(
        title="Logs", url="https://logs.example/{namespace}?run={run}&from={since_ms}&to={until_ms}"
    )
    (link,) = links_of((template,), make.run(name="app&x=/1", started=1.5), now=9.0)
    assert link.url == "https://logs.example/default?run=app%26x%3D%2F1&from=1500&to=9000"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("javascript:alert(1)", "begins with http", id="a script"),
        pytest.param("//logs.example/x", "begins with http", id="no scheme"),
        pytest.param("https://x.example/{pod}", "no placeholder {pod}", id="an unknown placeholder"),
        pytest.param("https://x.example/{run.policy}", "no placeholder", id="an attribute"),
        pytest.param("https://x.example/{run!r}", "no placeholder", id="a conversion"),
        pytest.param("https://x.example/{", "braces", id="a lone brace"),
        pytest.param("https://{namespace}.example/", "host must be written out", id="a host that a run chooses"),
    ],
)
def test_a_template_that_could_lead_astray_is_refused(url, why):
    with pytest.raises(ValidationError, match=why):
        LinkTemplate(title="x", url=url)
