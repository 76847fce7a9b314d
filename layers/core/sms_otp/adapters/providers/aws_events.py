"""Reads events of AWS End User Messaging. They come through SNS, so IAM has authorized them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sms_otp.adapters.providers import aws_codes
from sms_otp.adapters.providers.outcomes import is_reference, word
from sms_otp.domain.callbacks import Report, parse_reference
from sms_otp.domain.provider import Delivery


def read(event: Mapping[str, Any]) -> Sequence[Report]:
    """Read `{"eventType", "isFinal", "messageId", "context", …}`; empty unless final and about our send."""
    event_type, message_id = word(event.get("eventType")), event.get("messageId")
    delivery = aws_codes.delivery_of(event_type)
    is_final = delivery is Delivery.DELIVERED or event.get("isFinal") is True
    context = event.get("context")
    named = parse_reference(word(context.get(aws_codes.CONTEXT))) if isinstance(context, dict) else None
    if delivery is None or named is None or not is_final or not is_reference(message_id):
        return ()
    return (Report(delivery, message_id, event_type, key=named[0]),)
