"""Phone verification by one-time passcode, over Infobip 2FA, Sinch Verification and AWS End User Messaging.

    domain        decides; imports nothing of ours
    use_cases     order the steps; import the domain
    adapters      DynamoDB, AWS, providers, telemetry; import the domain
    setup         provisions Infobip; imports adapters
    entry_points  HTTP in and out, and the wiring; import everything

`import-linter` holds this in `make lint`.
"""

__version__ = "1.0.0-rc.1"
"""The release, by Semantic Versioning. A test holds CHANGELOG.md, openapi.yaml and CITATION.cff to it."""
