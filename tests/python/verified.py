"""Writes to and reads from the embedded ledger with verified calls of immudb's Python client.

The client verifies every proof, so this program shows that the proofs of the embedded ledger have immudb's format.

    python3 -m venv VENV && VENV/bin/pip install --no-deps -r tests/python/requirements.txt
    immuaudit drill --serve --port 0          # prints its port in the first line
    VENV/bin/python tests/python/verified.py PORT [PUBLIC_KEY.pem]

Prints one line of counts and exits with 0. A refused response ends the program with a traceback.
"""

import sys
import uuid

from immudb import ImmudbClient


def main() -> None:
    port = int(sys.argv[1])
    key = sys.argv[2] if len(sys.argv) > 2 else None
    client = ImmudbClient(f"127.0.0.1:{port}", publicKeyFile=key, timeout=10)
    client.login("immudb", "immudb", b"defaultdb")
    assert client.healthCheck()
    assert "defaultdb" in client.databaseList(), client.databaseList()

    run = uuid.uuid4().hex
    writes = reads = 0
    for number in range(40):
        name, value = f"{run}/{number}".encode(), f"value {number}".encode()
        answer = client.verifiedSet(name, value)
        assert answer.verified, name
        writes += 1
        client.set(f"{run}/plain/{number}".encode(), b"between")
        # Read the last entry and an older entry.
        for back in {number, number // 2}:
            got = client.verifiedGet(f"{run}/{back}".encode())
            assert got.verified and got.value == f"value {back}".encode(), got
            reads += 1
        if number % 10 == 9:
            twice = name + b"/twice"
            first = client.verifiedSet(twice, b"once")
            client.verifiedSet(twice, b"again")
            writes += 2
            old = client.verifiedGetAt(twice, first.id)
            assert old.verified and old.value == b"once", old
            reads += 1
            assert client.get(twice).value == b"again"
    # Read entries that are older than this connection, including a reference.
    first_keys = 0
    for name in (b"key/10", b"large/3", b"many/11/4", b"expiring/6", b"reference/5"):
        try:
            got = client.verifiedGet(name)
        except Exception as error:  # the ledger of a test may not have these entries
            if "not found" in str(error):
                continue
            raise
        assert got.verified, name
        first_keys += 1
    txs = 0
    for tx in range(1, client.currentState().txId + 1):
        client.verifiedTxById(tx)
        txs += 1
    client.logout()
    print(f"verified: {writes} writes, {reads} reads, {first_keys} older keys, {txs} transactions")


if __name__ == "__main__":
    main()
