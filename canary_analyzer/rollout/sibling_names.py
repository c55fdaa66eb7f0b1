"""Names for what belongs to the canary."""

import hashlib

_LONGEST = 63
CANARY = "-canary"
BASELINE = "-baseline"


def sibling_name(name: str, suffix: str = CANARY) -> str:
    """`<name>-canary` (or another suffix), within the 63 characters of a DNS label (RFC 1123) and of a label value.

    A longer name is cut, and 8 hexadecimal digits of its SHA-256 keep two names that share a beginning apart.
    """
    if len(name) + len(suffix) <= _LONGEST:
        return name + suffix
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    head = name[: _LONGEST - len(suffix) - len(digest) - 1].rstrip("-._")
    return f"{head}-{digest}{suffix}"
