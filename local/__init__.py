"""The local stack: an emulated AWS and the providers' stand-in, on this machine. Never deployed."""
