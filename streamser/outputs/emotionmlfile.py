"""EmotionML in a file that is a whole, valid document at any time."""

from __future__ import annotations

import errno
import os

from streamser.config import EmotionMlFile as Section
from streamser.events import Event, SessionStarted, Utterance
from streamser.outputs.emotionml import END, ROOT, beginning, heard
from streamser.outputs.rotating import LONGEST, RotatingFile

_ROOT, _END = ROOT.encode(), END.encode()
_DECLARED, _LAST = b"  </vocabulary>\n", b"  </emotion>\n"


class EmotionMlFile(RotatingFile):
    """An `<emotion>` for each utterance is written over the document's end, and a new end after it.

    A session begins a document where there is none. At the first utterance of another model, with
    other labels, a document is turned over before it is full.
    """

    name = "emotionml"
    flags = 0

    def __init__(self, section: Section) -> None:
        super().__init__(section)
        self._beginning = ""

    def push(self, event: Event, line: str) -> None:
        """Let the thread write what was heard, as a document of its own."""
        match event:
            case SessionStarted():
                self._beginning = beginning(event.model.labels)
                super().push(event, self._beginning + END.rstrip("\n"))
            case Utterance():
                super().push(event, self._beginning + heard(event) + END.rstrip("\n"))

    def _append(self, content: bytes) -> None:
        begin = content.index(_DECLARED) + len(_DECLARED)
        size, last = self._size(), len(content) - begin
        if content[begin:] == os.pread(self._file, last, max(0, size - last)):
            return  # it is there: some document, or the last utterance, told again after a reload
        other = content[:begin] != os.pread(self._file, begin, 0)
        if size and (other or size + last > self._largest):
            self._turn_over()
            size = 0
        at = max(0, size - len(_END))
        try:
            _write_at(self._file, content[begin:] if size else content, at)
        except OSError:
            os.ftruncate(self._file, at)
            if size:
                _write_at(self._file, _END, at)
            raise

    def _mend(self, descriptor: int) -> int:
        """Let a document that a loss of power cut short end after a whole `<emotion>`."""
        size = os.fstat(descriptor).st_size
        if not size:
            return 0
        root = os.pread(descriptor, len(_ROOT), 0).rstrip(b"\0")  # a file system may leave zeros
        if not root or not _ROOT.startswith(root):
            raise OSError(errno.EINVAL, "is there, and no EmotionML of streamser")
        if os.pread(descriptor, len(_END), max(0, size - len(_END))) == _END:
            return 0
        begin = max(0, size - LONGEST)
        whole = os.pread(descriptor, LONGEST, begin).rfind(_LAST)
        end = 0 if whole < 0 else begin + whole + len(_LAST)
        os.ftruncate(descriptor, end)
        if end:
            _write_at(descriptor, _END, end)
        return size - end


def _write_at(descriptor: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, at)
        content, at = content[written:], at + written
