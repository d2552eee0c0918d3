"""Guesses the password of a server's pages, many at once and from many addresses by the word of a proxy.

``PORT COUNT ADDRESSES``: prints how many answers of each status there were, as JSON. A process of its own: whoever
measures how long others wait must not wait for its own guesses.
"""

import http.client
import json
import sys
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

AT_ONCE = 50


def log_in(port: int, password: str, client: str) -> tuple[int, str]:
    """Give a password for a client of the proxy's; return the answer's status, and its cookie."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        headers = {"X-Forwarded-For": client, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", urllib.parse.urlencode({"password": password}), headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers.get("Set-Cookie", "").split(";")[0]


def main(port: int, count: int, addresses: int) -> None:
    """Guess, and tell what was answered."""

    def guess(n: int) -> int:
        return log_in(port, "wrong", f"10.0.{n % addresses >> 8}.{n % addresses & 255}")[0]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        print(json.dumps(Counter(pool.map(guess, range(count)))))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
