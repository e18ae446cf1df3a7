"""Events as JSON Lines in a file that is turned over before it grows large."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any

from streamser.config import File
from streamser.events import Event
from streamser.log import Log
from streamser.outputs.actor import Actor
from streamser.outputs.output import OutputError

WAITING = 4096
"""Lines that may wait for a slow disk; then the oldest is dropped and counted."""

LONGEST = 1 << 16
"""Bytes that no line has."""

_BEGINNING = b'{"type":"'

_log = Log("file")


class RotatingFile(Actor[str]):
    """Writes on a thread of its own: a disk that is slow, full or gone holds nothing up.

    What cannot be written is dropped and counted; whole lines alone stay in the file: half a line
    that a loss of power left is cut off. A file that somebody else moved away is begun anew.
    """

    name = "file"
    flags = os.O_APPEND

    def __init__(self, section: File) -> None:
        super().__init__(WAITING)
        self._path = Path(section.path)
        self._largest = round(section.max_mb * 1e6)
        self._keep = section.keep
        self._descriptor: int | None = None
        self._told = False  # whether a problem that lasts was told

    def open(self) -> None:
        """Open the file, for this user alone if it is new. Raises OutputError."""
        try:
            self._open()
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from None
        self._thread.start()
        _log.info("open", path=self._path)

    def push(self, event: Event, line: str) -> None:
        """Let the thread write a line."""
        self._put(line)

    def _run(self) -> None:
        while not self._closing:
            self._wait()
            self._write(self._mailbox.take())
        self._write(self._mailbox.take())
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)

    def _write(self, lines: list[str]) -> None:
        for line in lines:
            content = line.encode() + b"\n"
            try:
                self._append(content)
            except OSError as error:
                self.tally.lost += 1
                if not self._told:
                    self._told = True
                    _log.error("events are lost", path=self._path, reason=error.strerror)
            else:
                if self._told:
                    self._told = False
                    _log.info("events are written again", path=self._path, lost=self.tally.lost)

    def _append(self, content: bytes) -> None:
        size = self._size()
        if size and size + len(content) > self._largest:
            self._turn_over()
            size = 0
        try:
            written = os.write(self._file, content)
            if written < len(content):
                os.write(self._file, content[written:])
        except OSError:
            os.ftruncate(self._file, size)  # no half lines
            raise

    def _size(self) -> int:
        """Return the size of the file, which is begun anew if somebody moved it away."""
        if self._moved_away():
            self._open()
        return os.fstat(self._file).st_size

    @property
    def _file(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def _moved_away(self) -> bool:
        if self._descriptor is None:
            return True
        try:
            return not os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return True

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | self.flags
        descriptor = os.open(self._path, flags, 0o600)
        try:
            cut = self._mend(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        if cut:
            _log.warning("half a line was cut off", path=self._path, bytes=cut)
        before, self._descriptor = self._descriptor, descriptor
        if before is not None:
            os.close(before)

    def _turn_over(self) -> None:
        for number in range(self._keep, 0, -1):
            older = self._old(number - 1)
            if older.exists():
                older.replace(self._old(number))
        if not self._keep:
            self._path.unlink()
        self._open()

    def _old(self, number: int) -> Path:
        return self._path if number == 0 else Path(f"{self._path}.{number}")

    def _mend(self, descriptor: int) -> int:
        """Let a file end with a whole line; return the bytes that were too many."""
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, LONGEST, max(0, size - LONGEST))
        half = tail[tail.rfind(b"\n") + 1 :]
        if not half:
            return 0
        line = half.rstrip(b"\0")  # a file system may leave zeros
        begun = line[: len(_BEGINNING)] == _BEGINNING[: len(line)]
        event = _parsed(line) if begun else None
        if not begun or (event and "seq" not in event):
            raise OSError(errno.EINVAL, "is there, and not of lines of JSON")
        kept = line if event else b""
        os.ftruncate(descriptor, size - len(half) + len(kept))
        if kept:
            os.write(descriptor, b"\n")
        return len(half) - len(kept)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a line that begins like an event, None where it is cut short."""
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return event
