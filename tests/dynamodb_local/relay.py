"""DynamoDB Local in a network namespace of its own, and a relay to it from this machine's loopback.

DynamoDB Local listens on every interface and has no option that says otherwise. In the namespace it has only
a loopback that nobody else is on, and it cannot report its use to AWS either. The relay's socket is bound
before the namespace is entered, and stays where it was bound.

    python relay.py PORT DIRECTORY_OF_THE_JAR COMMAND_THAT_ENTERS_A_NAMESPACE...

Ends with the process that started it, and after an hour at the latest.
"""

import asyncio
import fcntl
import os
import socket
import struct
import sys
import time
from contextlib import suppress

MOST_SECONDS = 3600
START_SECONDS = 60
LOOPBACK = "127.0.0.1"
PORT = 8000
"""Of DynamoDB Local, in the namespace, where nothing else listens."""

MOST_WAITING = 1000
CHUNK = 65536
JAVA = (
    "java",
    "-Xmx512m",
    # It runs for a minute: what a longer run would gain from is not worth its start.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.library.path=DynamoDBLocal_lib",
    "-jar",
    "DynamoDBLocal.jar",
    "-inMemory",
    "-sharedDb",
    "-disableTelemetry",
    "-port",
    str(PORT),
)


def enter(port: int, directory: str, command: list[str]) -> None:
    """Bind the port and run this file again in a namespace."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.set_inheritable(True)
    again = [*command, sys.executable, __file__, str(listener.fileno()), directory]
    os.execvp(again[0], again)  # noqa: S606 - a command of our own


def raise_loopback() -> None:
    """A new namespace has a loopback that is down."""
    set_flags, up = 0x8914, 0x1  # SIOCSIFFLAGS and IFF_UP of <linux/if.h>
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction of a connection, until either side ends it."""
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Join a connection to one of DynamoDB Local's."""
    there, back = await asyncio.open_connection(LOOPBACK, PORT)
    await asyncio.gather(copy(reader, back), copy(there, writer))


async def serve(listener: socket.socket, directory: str) -> None:
    """Start DynamoDB Local, relay to it, and end it."""
    raise_loopback()
    started_by, end = os.getppid(), time.monotonic() + MOST_SECONDS
    java = await asyncio.create_subprocess_exec(*JAVA, cwd=directory)
    try:
        await until_it_listens(java)
        async with await asyncio.start_server(relay, sock=listener, backlog=MOST_WAITING):
            while java.returncode is None and os.getppid() == started_by and time.monotonic() < end:
                await asyncio.sleep(0.5)
    finally:
        with suppress(ProcessLookupError):
            java.kill()


async def until_it_listens(java: asyncio.subprocess.Process) -> None:
    """Raises RuntimeError where it has ended or takes too long."""
    end = time.monotonic() + START_SECONDS
    while java.returncode is None and time.monotonic() < end:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, PORT)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("DynamoDB Local does not start")


if __name__ == "__main__":
    first, jar_directory, *unshare = sys.argv[1:]
    if unshare:
        enter(int(first), jar_directory, unshare)
    asyncio.run(serve(socket.socket(fileno=int(first)), jar_directory))
