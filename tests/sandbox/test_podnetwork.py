from canary_analyzer.sandbox.podnetwork import local, published


def test_a_pod_is_found_again_by_the_address_that_the_api_has():
    assert published("127.1.3.4") == "198.18.3.4"
    assert local(published("127.1.3.4")) == "127.1.3.4"


def test_addresses_of_others_are_left_alone():
    assert local("10.96.0.1") == "10.96.0.1"
