"""The pages: what is made from code is current, every block can be checked, and the site is built without a warning."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import yaml
from markdown.extensions.toc import slugify
from markdown_it import MarkdownIt

from canary_analyzer.rollout.policy import PROFILES, RolloutPolicy, override
from canary_analyzer.service.settings import ServiceSettings
from docs import generate

LANGUAGES = {"sh", "yaml", "json", "text", "promql"}
OBJECT, VALUES = {"metadata"}, {"config"}
"""What tells a part of an object of Kubernetes, and values of the chart, from a policy and a config."""


def test_what_is_made_from_the_code_is_current():
    for path, text in generate.rendered().items():
        assert path.read_text() == text, f"{path.name} is not what the code says: make docs"


def test_every_event_has_its_reason_from_one_place(root):
    """A reason that is written out somewhere would be missing in the reference."""
    code = {path: path.read_text() for path in (root / "canary_analyzer").rglob("*.py")}
    assert not [path for path, text in code.items() if re.search(r'reason=f?"Canary', text)]


def test_every_alert_has_its_section(root):
    groups = yaml.safe_load((root / "dashboards/rules.yaml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert re.findall(r"^## (\w+)$", (root / "docs/alerts.md").read_text(), re.MULTILINE) == alerts


def test_code_stands_in_blocks_of_a_known_language(page, blocks):
    """Blocks by indentation have no language, and would be looked at by nobody."""
    assert {each.language for each in blocks(page)} <= LANGUAGES
    assert not [token.content for token in MarkdownIt().parse(page.read_text()) if token.type == "code_block"]


def test_yaml_is_what_it_is_said_to_be(yaml_block):
    """A policy, a config, values of the chart or a part of an object of Kubernetes."""
    document = yaml.safe_load(yaml_block.text)
    if document.keys() & OBJECT:
        return
    if document.keys() & VALUES:
        document = document["config"]
    if document.keys() <= RolloutPolicy.model_fields.keys():
        override(PROFILES["standard"], document)
    else:
        ServiceSettings.model_validate(document)


def test_the_config_in_an_annotation_can_be_used(root):
    text = (root / "docs/reference/annotations.md").read_text()
    document = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    override(PROFILES["standard"], yaml.safe_load(document["metadata"]["annotations"]["canary-analyzer.io/config"]))


def test_json_is_json(json_block):
    json.loads(json_block.text)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "chart/README.md"])
def test_links_outside_of_the_site_lead_somewhere(root, name):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]+)(?:#([^)]*))?\)", (root / name).read_text()):
        found = (root / name).parent / target
        assert found.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert anchor in {slugify(title, "-") for title in titles}, f"{target}#{anchor}"


class Loads(HTMLParser):
    """Collects what a page makes a browser load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag != "a":
            self.found += [given[name] for name in ("src", "href", "srcset", "action") if given.get(name)]


def built(root, folder, *options):
    """Build the site as `make docs` does; quietly would not do: warnings that nobody prints are not counted either."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder, *options]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def site(tmp_path_factory, root):
    """The site: a dead link or anchor, or a page outside of the menu, is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = built(root, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.long
@pytest.mark.parametrize("link", ["nowhere.md", "alerts.md#nowhere"])
def test_a_dead_link_ends_the_build(root, tmp_path, link):
    shutil.copytree(root / "docs", tmp_path / "docs")
    shutil.copy(root / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs/faq.md").open("a") as page:
        page.write(f"[there]({link})\n")
    assert built(tmp_path, tmp_path / "site").returncode != 0


def test_pages_of_the_site_load_nothing_from_elsewhere(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > 20
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert not [each for each in loads.found if re.match(r"(https?:)?//", each)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text()), sheet


def test_the_site_holds_pages_and_nothing_of_how_they_are_made(site):
    assert not [*site.rglob("*.py")]
    assert (site / "ci-cd/github-actions.yaml").exists()
    assert (site / "reference/config.schema.json").exists()


@pytest.mark.long
def test_a_browser_loads_every_page_from_the_site_alone(site):
    playwright = pytest.importorskip("playwright.sync_api", reason="make setup installs it")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("chromium is not on PATH: make setup installs it, where it can")
    loaded, errors = [], []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("request", lambda request: loaded.append(request.url))
        tab.on("pageerror", lambda error: errors.append(str(error)))
        for page in sorted(site.rglob("*.html")):
            if page.name != "404.html":  # its paths begin at the site's root
                tab.goto(page.as_uri())
        browser.close()
    assert not errors
    assert [url for url in loaded if not url.startswith(("file:", "data:", "blob:"))] == []
