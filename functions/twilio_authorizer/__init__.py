"""One Lambda: see app.py."""
