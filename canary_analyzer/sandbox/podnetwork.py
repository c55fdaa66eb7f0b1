"""Where pods are: 198.18.x.y in the API, and 127.1.x.y on this machine.

Linux answers on all of 127.0.0.0/8 without any set-up, but an API server refuses loopback addresses in Endpoints. So
the API gets addresses that no network uses (set aside for tests by RFC 2544), and whoever connects translates them.
"""

PUBLISHED = "198.18."
LOCAL = "127.1."


def published(address: str) -> str:
    """The address by which the API knows a pod that listens at 127.1.x.y."""
    return PUBLISHED + address.removeprefix(LOCAL)


def local(address: str) -> str:
    """Where to connect for an address from the API; those which are not of pods here stay as they are."""
    return LOCAL + address.removeprefix(PUBLISHED) if address.startswith(PUBLISHED) else address
