"""The circuit breaker's state: Powertools' layer on our table, told what each send has read anyway."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.circuit_breaker.persistence import (
    CircuitBreakerDynamoDBPersistence,
    CircuitStateRecord,
)
from aws_lambda_powertools.utilities.circuit_breaker.states import CircuitState

from sms_otp.domain.ports import Circuit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PREFIX = "K#"
"""Of an item's key, before the provider's name."""
CLOSED = Circuit(CircuitState.CLOSED.value)


class Circuits(CircuitBreakerDynamoDBPersistence):
    """Reads the table itself only for what it was not told within the age that the breaker allows."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__(table, key_attr="pk", expiry_attr="ttl", boto3_client=client)

    def prime(self, circuits: Mapping[str, Circuit | None]) -> None:
        """By provider; None where its circuit is closed."""
        for name, found in circuits.items():
            circuit = found or CLOSED
            self._save_to_cache(
                CircuitStateRecord(
                    name=PREFIX + name,
                    state=CircuitState(circuit.state),
                    opened_at=circuit.opened_at,
                    half_open_owner=circuit.owner,
                    probe_lease_expiry=circuit.lease_until,
                )
            )
