"""The provider sandbox: a small web server that imitates Infobip 2FA, Sinch Verification and AWS End User
Messaging.

It generates, "delivers" (to an inbox open to this machine) and checks codes, refuses what the real providers
refuse, calls back, and fails on demand. `app` has the control routes; `infobip`, `sinch` and `aws` the
providers'; `gateway` records every provider call before acting. `page` serves the web page, and `demo` is the
backend of its sign-up form.
"""
