"""A stub of AWS and Infobip on loopback, which answers and records the calls of a successful verification.

    python -m bench.stub 127.0.0.1 4781

`GET /_calls` lists the calls since the last `DELETE /_calls`.
"""

import asyncio
import json
import sys
from typing import Any

from local.sandbox.credentials import credentials

PEPPER = "bench-pepper-that-is-no-secret-at-all"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
PIN_ID = "9C817C6F8AF3D48F9FE553282AFA2B67"


class Stub:
    """The stub's state: the calls, and the newest verification of each key."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._verifications: dict[str, dict[str, Any]] = {}
        self._newest: dict[str, Any] = {}

    def answer(self, method: str, path: str, target: str, body: bytes, host: str) -> Any:
        """Record a request and return its JSON answer."""
        if path == "/_calls":
            answered, self.calls = self.calls, [] if method == "DELETE" else self.calls
            return answered
        sent = json.loads(body or b"{}")
        operation = target.rpartition(".")[2] or path
        self.calls.append({"operation": operation, "body": sent})
        if path.startswith("/infobip"):
            return self._infobip(path)
        if operation == "GetSecretValue":
            return {
                "Name": sent["SecretId"],
                "SecretString": json.dumps(self._secret(sent["SecretId"], host)),
            }
        return self._dynamodb(operation, sent)

    def _infobip(self, path: str) -> dict[str, Any]:
        if path.endswith("/verify"):
            return {"pinId": PIN_ID, "msisdn": "14155550123", "verified": True, "attemptsRemaining": 0}
        return {
            "pinId": PIN_ID,
            "to": "14155550123",
            "ncStatus": "NC_DESTINATION_REACHABLE",
            "smsStatus": "MESSAGE_SENT",
            # Infobip sends this id if `trackDelivery` requests reports, and repeats it in the report.
            "externalMessageId": "bench-message-of-a-report",
        }

    def _secret(self, name: str, host: str) -> Any:
        return {"pepper": PEPPER} if "Pepper" in name else credentials(f"http://{host}")

    def _dynamodb(self, operation: str, sent: dict[str, Any]) -> dict[str, Any]:
        if operation == "BatchGetItem":
            return {"Responses": {}, "UnprocessedKeys": {}}
        if operation == "TransactWriteItems":
            for step in sent["TransactItems"]:
                item = step.get("Put", {}).get("Item", {})
                if item.get("pk", {}).get("S", "").startswith("V#"):
                    self._verifications[item["pk"]["S"]] = self._newest = item
        if operation == "UpdateItem":
            return {"Attributes": self._attributes(sent["Key"]["pk"]["S"])}
        return {}

    def _attributes(self, pk: str) -> dict[str, Any]:
        if not pk.startswith("V#"):
            return {"pk": {"S": pk}, "failures": {"N": "1"}, "lastAt": {"N": "0"}}
        held = {"attempts": {"N": "1"}, "provider": {"S": "infobip"}, "providerRef": {"S": PIN_ID}}
        # An unknown verification counts as the newest, so that each function can be measured alone.
        return {**self._verifications.get(pk, self._newest), "pk": {"S": pk}, **held}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its client closes it."""
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split(" ", 2)
                headers = {}
                while (header := await reader.readline()) != b"\r\n":
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                answered = self.answer(method, path, headers.get("x-amz-target", ""), body, headers["host"])
                content = json.dumps(answered).encode()
                writer.write(HEAD % len(content) + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main(host: str, port: int) -> None:
    """Serve until the process is stopped."""
    server = await asyncio.start_server(Stub().serve, host, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
