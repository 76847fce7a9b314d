"""The local stack: an emulated AWS and the provider sandbox, on this machine. Never deployed."""
