"""The picture of a verdict, made from a real run: `make picture` writes it to docs/verdict.svg."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from canary_analyzer.cluster import records
from docs.picture import draw

pytestmark = pytest.mark.long

PICTURE = Path(__file__).parents[3] / "docs/verdict.svg"


def test_the_picture_of_an_aborted_canary_shows_its_sentence_and_both_plots(user, service):
    user.canary("flask-app:v2-errors", config="settle_seconds: 3\nsteps: [{weight: 10, seconds: 60}]")
    status = user.ended()
    assert status["phase"] == "Aborted"
    record = records.load(user.cluster, "default", status["run"])
    picture = draw(record.run, record.story)
    root = ElementTree.fromstring(picture)
    assert len(root.findall("{http://www.w3.org/2000/svg}svg")) == 2
    assert "errors" in picture
    if os.environ.get("WRITE_PICTURE"):
        PICTURE.write_text(picture)
