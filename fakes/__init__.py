"""In-memory stand-ins for the ports, for tests and simulations; the contract suites hold them too."""
