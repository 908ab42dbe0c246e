"""Runs immudb's Python client against the ledgers of a test. It writes and reads, and the client verifies the responses.

    python tests/python/client.py SERVER...      SERVER: PORT/DATABASE, or PORT/DATABASE=FILE with the server's public key

tests/support/clients.rs describes the output, which is the same for all clients. verified.py makes more calls.
"""

import sys
import uuid

from immudb import ImmudbClient

ROUNDS = 12


def begin(server: str) -> ImmudbClient:
    """Opens a database, writes and reads, and returns the client."""
    address, _, key = server.partition("=")
    port, _, database = address.partition("/")
    client = ImmudbClient(f"127.0.0.1:{port}", publicKeyFile=key or None, timeout=20)
    client.login("immudb", "immudb", database.encode())
    run = uuid.uuid4().hex

    def name(number: int) -> bytes:
        return f"python/{run}/{number}".encode()

    def same(got, number: int) -> None:
        assert got.verified and got.value == f"value {number}".encode(), got

    for number in range(ROUNDS):
        value = f"value {number}".encode()
        written = client.verifiedSet(name(number), value)
        assert written.verified, written
        client.set(name(-1 - number), b"between")
        for back in {number, number // 2}:
            same(client.verifiedGet(name(back)), back)
        assert client.verifiedSet(name(number), b"again").verified
        same(client.verifiedGetAt(name(number), written.id), number)
        assert client.verifiedSet(name(number), value).verified
    client.verifiedSetReference(name(3), name(1000))
    same(client.verifiedGet(name(1000)), 3)
    client.verifiedZAdd(run.encode(), 1.5, name(3))
    for tx in range(1, client.currentState().txId + 1, 7):
        client.verifiedTxById(tx)
    return client


def go_on(client: ImmudbClient) -> None:
    """Reads an entry that was written after `begin`, and an old entry."""
    for name in (b"later", b"key/10"):
        got = client.verifiedGet(name)
        assert got is not None and got.verified, name


def report(name: str, work):
    try:
        done = work()
    except Exception as error:  # the client raises different exceptions for refused responses
        message = " ".join(f"{type(error).__name__} {error}".split())
        print(f"{name} refused: {message}", flush=True)
        return None
    print(f"{name} verified", flush=True)
    return done


def main() -> None:
    servers = [(server.partition("=")[0], server) for server in sys.argv[1:]]
    clients = [(name, report(name, lambda: begin(server))) for name, server in servers]
    print("ready", flush=True)
    sys.stdin.readline()
    for name, client in clients:
        report(name, lambda: go_on(client))


if __name__ == "__main__":
    main()
