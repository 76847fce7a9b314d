"""The bare minimum: a DynamoDB client and, where a provider is called, requests. It decides nothing."""

import sys

import boto3

dynamodb = boto3.client("dynamodb")

if "provider" in sys.argv:
    import requests

    session = requests.Session()
