"""In-memory implementations of the ports for tests and simulations, held to the contract suites."""
