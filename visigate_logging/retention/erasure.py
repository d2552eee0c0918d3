"""Forgetting a text: overwriting it wherever it stands under the directory of an installation.

What is overwritten keeps its length, in place: who appends to a file, reads it, or has an offset in it is not
disturbed, and nothing but the text is lost.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from visigate_logging.host.files import write_atomically
from visigate_logging.host.sync import force
from visigate_logging.retention.databases import erase_from_database, is_database
from visigate_logging.retention.rewrite import rotation_lock, write_anew

if TYPE_CHECKING:
    from email.message import EmailMessage

FEWEST = 4
"""Characters, without those between words, that a text must have: a shorter one stands in too much else."""
ROUNDS = 5
"""How often all files are gone through, while others write what is to be forgotten."""
STRINGS = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|-?\d+(?:\.\d+)?')
OURS = frozenset(
    b"timestamp event_id fingerprint repeats boot_id level severity file function module error_type logger "
    b"key into id time until action last event".split()
)
"""Members whose values are what we go by, or name code; they are left as they are and, if they have it, told."""


class TextForms:
    """The forms in which a text may stand in a file.

    Args:
        text: in any case; white space in it stands for any that may be there, or a hyphen, or none.

    Raises:
        ValueError: it is too short.
    """

    def __init__(self, text: str) -> None:
        words = text.split()
        if sum(map(len, words)) < FEWEST:
            raise ValueError(f"{text!r} is too short: it must have {FEWEST} letters or digits at least")
        self.bytes = re.compile(rb"[ \t_-]{0,3}".join(b"".join(map(_forms, word)) for word in words))

    def stand_in(self, content: bytes) -> bytes:
        """Return a content with as many stars for each place in it."""
        return self.bytes.sub(lambda match: b"*" * len(match[0]), content)

    def in_line(self, line: bytes) -> bytes:
        """Return a line of a file; of JSON the names and what we go by stay."""
        if not self.bytes.search(line):
            return line
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            return self.stand_in(line)
        return self._in_json(line)

    def _in_json(self, line: bytes) -> bytes:
        name = b""

        def replaced(match: re.Match[bytes]) -> bytes:
            nonlocal name
            whole = match[0]
            if not whole.startswith(b'"'):
                return b" " * (len(whole) - 1) + b"0" if self.bytes.fullmatch(whole) else whole
            if match[2]:
                name = match[1]
                return whole if name in OURS else self.stand_in(whole)
            return whole if name in OURS else self.stand_in(whole)

        return STRINGS.sub(replaced, line)


class ValueForms(TextForms):
    """The forms in which a value may stand in a file behind its key: of a mapping, or as ``key=value`` in a text.

    Args:
        key: such as the name of a person's number in ``extra``.
        value: of any length; in any case, and with any white space in it, as of :class:`TextForms`.

    Raises:
        ValueError: one of them is empty.
    """

    def __init__(self, key: str, value: str) -> None:
        if not (key.strip() and value.strip()):
            raise ValueError("a key and a value are needed: --key person --value 4711")
        name, words = b"".join(map(_forms, key.strip())), value.split()
        text = rb"[ \t_-]{0,3}".join(b"".join(map(_forms, word)) for word in words)
        self.bytes = re.compile(rb"((?<!\w)" + name + rb"(?:[\"'\\]*\s?[:=]\s?[\"'\\]*))(" + text + rb")(?!\w)")

    def stand_in(self, content: bytes) -> bytes:
        """Return a content with as many stars for each place in it; a bare number becomes 0."""

        def replaced(match: re.Match[bytes]) -> bytes:
            begin, found = match[1], match[2]
            bare = begin[-1:] in b":= " and re.fullmatch(rb"-?\d+(\.\d+)?", found)
            return begin + (b" " * (len(found) - 1) + b"0" if bare else b"*" * len(found))

        return self.bytes.sub(replaced, content)

    def in_line(self, line: bytes) -> bytes:
        """Return a line of a file."""
        return self.stand_in(line)


def _forms(letter: str) -> bytes:
    """Return a pattern of a letter in either case, as UTF-8 and as JSON may have it."""
    cases = {letter, letter.lower(), letter.upper()}
    plain = {one.encode() for one in cases}
    escaped = {f"\\u{ord(one):04x}".encode() for one in cases if len(one) == 1}
    escaped |= {form.upper().replace(b"\\U", b"\\u") for form in escaped}
    return b"(?:" + b"|".join(map(re.escape, sorted(plain | escaped))) + b")"


def erase(directory: Path, log: Path, what: str | TextForms) -> list[Path]:
    """Overwrite a text in all files under a directory, and return those in which it still stands afterwards.

    Args:
        directory: of the installation's log and state.
        log: the details file, whose rotation waits meanwhile.
        what: a text, or its forms; see :class:`TextForms` and :class:`ValueForms`.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the text is too short.
    """
    forms = TextForms(what) if isinstance(what, str) else what
    for _ in range(ROUNDS):
        with rotation_lock(log).tried(10.0):
            for path in _files(directory):
                with suppress(FileNotFoundError):
                    _erase_from(path, forms)
        if not (left := [path for path in _files(directory) if found_in(path, forms)]):
            return []
    return left


def _files(directory: Path) -> Iterator[Path]:
    """Return the files: the databases last, as what is made of the others."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file() and not path.is_symlink()]
    return iter(sorted(files, key=is_database))


def _erase_from(path: Path, forms: TextForms) -> None:
    if path.name.endswith(("-wal", "-shm", "-journal")):
        return  # a database's, which does it
    if is_database(path):
        erase_from_database(path, forms.stand_in)
    elif path.suffix == ".gz":
        if found_in(path, forms):
            write_anew(path, forms.in_line)
    elif path.suffix == ".eml":
        _erase_from_mail(path, forms)
    else:
        _overwrite(path, forms.in_line)


def _overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change lines where they stand; others may append meanwhile."""
    with open(path, "r+b", buffering=0) as target, open(path, "rb") as file:
        offset, changed = 0, False
        for line in file:
            if (new := change(line)) != line:
                os.pwrite(target.fileno(), new, offset)
                changed = True
            offset += len(line)
        if changed:
            force(target.fileno())


def _erase_from_mail(path: Path, forms: TextForms) -> None:
    """Write a mail that waits to be sent anew, if the text stands in it once it is decoded."""
    import email.policy

    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    if not _in_mail(message, forms):
        return
    for name, value in message.items():
        if forms.bytes.search(str(value).encode()):
            message.replace_header(name, forms.stand_in(str(value).encode()).decode())
    for part in message.walk():
        if part.get_content_maintype() == "text":
            content = forms.stand_in(part.get_content().encode()).decode()
            part.set_content(content, subtype=part.get_content_subtype())
    write_atomically(path, message.as_bytes(), like=path.stat())


def _in_mail(message: "EmailMessage", forms: TextForms) -> bool:
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return any(forms.bytes.search(str(text).encode()) for text in [*parts, *message.values()])


def found_in(path: Path, forms: TextForms) -> bool:
    """Return whether a text stands in a file: in its bytes, as they are packed or encoded."""
    import email.policy
    import gzip

    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (FileNotFoundError, EOFError, gzip.BadGzipFile):
        return False
    if path.suffix == ".eml":
        return _in_mail(email.message_from_bytes(content, policy=email.policy.default), forms)
    return forms.bytes.search(content) is not None
