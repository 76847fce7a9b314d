"""Phone verification by one-time passcode, delivered and checked by Infobip 2FA or Sinch Verification.

Imports point one way: `http` -> `service` -> `verification`, `limits`, `phone`; `store` and
`providers` are adapters that `service` is handed; `config`, `errors`, `clock`, `schemas` and
`observability` import nothing of ours.
"""

__version__ = "1.0.0-rc.1"
"""The release, by Semantic Versioning. A test holds CHANGELOG.md, openapi.yaml and CITATION.cff to it."""
