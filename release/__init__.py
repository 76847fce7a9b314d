"""Release tools: the checklist, and the list of packages that run on Lambda."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
