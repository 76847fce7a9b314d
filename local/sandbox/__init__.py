"""The providers' stand-in: a small web server that behaves as Infobip 2FA and Sinch Verification do.

It generates, "delivers" (to an inbox that anyone on this machine can read) and checks codes, refuses
what the real providers refuse, and fails on demand. Its own routes are in `app`; each provider's in
`infobip` and `sinch`; `gateway` records every provider call before it acts.
"""
