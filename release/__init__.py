"""What a release needs: its checklist, and the list of what runs on Lambda."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
