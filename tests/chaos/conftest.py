"""What the tests here share is a package of its own beside them: `make chaos` runs it without pytest as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
