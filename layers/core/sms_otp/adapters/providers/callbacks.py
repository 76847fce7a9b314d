"""The reader of each provider's callbacks."""

from collections.abc import Mapping

from sms_otp.adapters.providers.infobip_callbacks import InfobipCallbacks
from sms_otp.adapters.providers.sinch_callbacks import SinchCallbacks
from sms_otp.domain.callbacks import CallbackReader

READERS: Mapping[str, CallbackReader] = {"infobip": InfobipCallbacks(), "sinch": SinchCallbacks()}
"""By provider, those that call back over HTTP."""
