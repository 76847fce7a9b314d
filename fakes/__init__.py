"""In-memory implementations of the ports for tests and simulations; the contract suites run on them too."""
