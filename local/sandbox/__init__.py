"""The providers' stand-in: a small web server that behaves as Infobip 2FA, Sinch Verification and AWS
End User Messaging do.

It generates, "delivers" (to an inbox that anyone on this machine can read) and checks codes, refuses
what the real providers refuse, calls back, and fails on demand. Its own routes are in `app`; each
provider's in `infobip`, `sinch` and `aws`; `gateway` records every provider call before it acts. `page` is
what people look at, and `demo` the backend of the sign-up form on it.
"""
