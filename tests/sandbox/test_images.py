import pytest

from canary_analyzer.sandbox import images


def test_the_known_images_are_those_of_the_sample_app():
    names = {name.removeprefix("flask-app:") for name in images.load()}
    faults = {"errors", "slow", "tail", "leak", "crash", "unready", "slow-start", "only-canary", "slow-drain"}
    assert names == {"v1", "v2", "v1-slow-drain", *(f"v2-{fault}" for fault in faults)}


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        pytest.param("images: [", ["not YAML"], id="not YAML"),
        pytest.param("app: 1", ["images: missing"], id="no images"),
        pytest.param(
            "images: {a: {command: x}, b: {comand: [y]}, c: {command: []}, d: {command: [z], environment: {N: [1]}}}",
            ["images.a.command", "images.b.command", "images.b.comand", "images.c", "images.d.environment.N"],
            id="several mistakes at once",
        ),
    ],
)
def test_mistakes_are_reported_with_the_field_that_holds_them(tmp_path, text, mistakes):
    path = tmp_path / "images.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="images") as error:
        images.load(path)
    assert [mistake for mistake in mistakes if mistake not in str(error.value)] == []
