"""What a release needs: its checklist, and the list of what runs on Lambda."""
