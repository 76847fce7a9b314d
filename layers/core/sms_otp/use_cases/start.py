"""Start a verification of a number, or resend the pending one, as Twilio Verify does."""

from dataclasses import replace

from sms_otp.domain import errors, phone
from sms_otp.domain.commands import Caller, RequestOtp, ResendOtp
from sms_otp.domain.keys import IdForm
from sms_otp.use_cases.by_number import ByNumber, Named
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service


def start(service: Service, by_number: ByNumber, command: RequestOtp, caller: Caller) -> Named:
    """Send a code to the number; resends if its newest verification at the tenant is pending.

    Raises as `request_code` and `resend_code` do.
    """
    try:
        named = by_number.find_pending(command.phone_number, caller)
    except errors.VerificationNotFound:
        requested = request_code(service, replace(command, id_form=IdForm.TWILIO), caller)
        created_at = requested.expires_at - service.policy.code_ttl_seconds
        number = phone.canonical(command.phone_number)
        return Named(requested.verification_id, number, requested.channel, created_at)
    resent = resend_code(service, ResendOtp(named.sid, command.channel), caller)
    return replace(named, channel=resent.channel, sends=named.sends + 1)
