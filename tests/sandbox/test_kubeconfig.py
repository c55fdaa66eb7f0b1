import pytest
import yaml

from canary_analyzer.sandbox import kubeconfig


def write(path, **changes):
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(config | changes))
    return path


def test_the_current_context_says_where_and_as_whom(tmp_path):
    endpoint = kubeconfig.load(write(tmp_path / "k"))
    assert endpoint.url == "http://127.0.0.1:1"
    assert endpoint.headers == {"Authorization": "Bearer t"}
    assert endpoint.tls is None


def test_a_server_behind_tls_gets_a_context(tmp_path):
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    endpoint = kubeconfig.load(write(tmp_path / "k", clusters=[{"name": "c", "cluster": cluster}]))
    assert endpoint.tls is not None
    assert endpoint.tls.check_hostname is False


def test_a_token_file_is_looked_up_beside_the_kubeconfig(tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    path = write(tmp_path / "k", users=[{"name": "u", "user": {"tokenFile": "token"}}])
    assert kubeconfig.load(path).headers == {"Authorization": "Bearer from-file"}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"current-context": "z"}, "no context 'z'"),
        ({"clusters": []}, "no cluster 'c'"),
        ({"users": []}, "no user 'u'"),
    ],
)
def test_a_reference_to_nothing_is_named(tmp_path, changes, missing):
    with pytest.raises(ValueError, match=missing):
        kubeconfig.load(write(tmp_path / "k", **changes))
