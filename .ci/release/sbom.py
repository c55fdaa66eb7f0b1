"""Write the software bill of materials of the service's image: CycloneDX 1.6, from its lock, the same each time.

https://cyclonedx.org/docs/1.6/json/
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from canary_analyzer import __version__

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-service.lock"
PINNED = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ;]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")


def components(lock: str) -> Iterator[Component]:
    """Yield what a lock pins, each with the hashes of the files that pip would take."""
    for found in PINNED.finditer(lock):
        purl = PackageURL(type="pypi", name=found["name"], version=found["version"])
        yield Component(
            type=ComponentType.LIBRARY,
            name=found["name"],
            version=found["version"],
            purl=purl,
            bom_ref=purl.to_string(),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in HASH.findall(found["rest"])],
        )


def ours() -> Component:
    """Return the service itself."""
    purl = PackageURL(type="pypi", name="canary-analyzer", version=__version__)
    return Component(
        type=ComponentType.APPLICATION,
        name="canary-analyzer",
        version=__version__,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseExpression("Apache-2.0")],
    )


def document(lock: str) -> str:
    """Return the bill of materials as JSON; the same lock and version give the same text, but for its time."""
    root, libraries = ours(), list(components(lock))
    bom = Bom(components=libraries, serial_number=uuid5(NAMESPACE_URL, f"canary-analyzer {__version__} {lock}"))
    bom.metadata.component = root
    bom.register_dependency(root, libraries)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def main() -> None:
    """Write it where the first argument says."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(document(LOCK.read_text()))


if __name__ == "__main__":
    main()
