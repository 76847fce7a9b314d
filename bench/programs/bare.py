"""The bare minimum: a DynamoDB client and, for a function that calls a provider, requests."""

import sys

import boto3

dynamodb = boto3.client("dynamodb")

if "provider" in sys.argv:
    import requests

    session = requests.Session()
