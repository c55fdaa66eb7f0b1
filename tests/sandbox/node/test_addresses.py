import socket

from canary_analyzer.sandbox.node.addresses import Addresses


def test_addresses_differ_and_are_local():
    addresses = Addresses()
    taken = {addresses.take([]) for _ in range(300)}
    assert len(taken) == 300
    assert all(address.startswith("127.1.") for address in taken)


def test_an_address_where_somebody_listens_is_passed_over():
    addresses = Addresses()
    first = addresses.take([])
    addresses.give_back(first)
    with socket.create_server((first, 0)) as server:
        port = server.getsockname()[1]
        assert first not in {addresses.take([port]) for _ in range(256 * 254 - 1)}
