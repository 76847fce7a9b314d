"""AWS End User Messaging's events. They come through SNS, so what brings them has passed IAM."""

from collections.abc import Mapping, Sequence
from typing import Any

from sms_otp.adapters.providers import aws_codes
from sms_otp.adapters.providers.outcomes import is_reference, word
from sms_otp.domain.callbacks import Report
from sms_otp.domain.provider import Delivery


def read(event: Mapping[str, Any]) -> Sequence[Report]:
    """`{"eventType", "isFinal", "messageId", …}`: what it says of a message, once that is final."""
    event_type, message_id = word(event.get("eventType")), event.get("messageId")
    delivery = aws_codes.delivery_of(event_type)
    is_told = delivery is Delivery.DELIVERED or event.get("isFinal") is True
    if delivery is None or not is_told or not is_reference(message_id):
        return ()
    return (Report(delivery, event_type, message_id=message_id),)
