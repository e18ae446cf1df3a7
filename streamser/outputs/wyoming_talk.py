"""What is said on one connection of a Wyoming client, and what is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from streamser.analysis.profile import ProfileError
from streamser.events import Event, SpeechStarted, Utterance, as_dict
from streamser.outputs.access import Token
from streamser.outputs.audience import Seat
from streamser.outputs.door import HANDSHAKE
from streamser.outputs.intake import Intake
from streamser.outputs.wyoming_frames import Frame, read_frame, written
from streamser.streams.pool import Streams, StreamsFullError
from streamser.version import __version__

PATIENCE = 60.0
"""Seconds in which a client without a stream has to say something more."""

PAUSE = 0.005
"""Seconds between two events that carry no audio, so that many of them are no burden."""

TOKEN = "token"
"""Name of the user event that shows it."""


class RefusedError(Exception):
    """A client asks for what it cannot have; the message tells it why, in one line."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Talk:
    """One connection: any number of streams, one after another."""

    def __init__(
        self, reader: asyncio.StreamReader, seat: Seat, token: Token, streams: Streams
    ) -> None:
        self._reader = reader
        self._seat = seat
        self._token = token
        self._streams = streams
        self._trusted = token.admits(None)
        self._patience = HANDSHAKE
        self._intake: Intake | None = None
        self._stop: asyncio.Timeout | None = None

    def stop(self, reason: str) -> None:
        """End, and the session with it."""
        if self._intake is not None:
            self._intake.stop(reason)
        elif self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it ran out just now
                self._stop.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> bool:
        """Talk until the client goes, falls silent, or is refused; return whether it was."""
        try:
            while (frame := await self._next()) is not None:
                await self._take(frame)
        except RefusedError as error:
            await self._end(str(error))
            self._say("error", text=str(error), code=error.code)
            return True
        except ValueError as error:
            await self._end(str(error))
            self._say("error", text=str(error), code="malformed")
            return True
        finally:
            if self._intake is not None:
                self._intake.abandon()
        return False

    async def _next(self) -> Frame | None:
        """Return what the client says next; None when there will be nothing."""
        if self._intake is not None:
            frame = await self._intake.next(lambda: read_frame(self._reader))
            if frame is None and not self._intake.over.is_set():
                await self._intake.end()  # the client closed its side, but may still read
            return frame
        try:
            async with asyncio.timeout(self._patience) as self._stop:
                return await read_frame(self._reader)
        except TimeoutError:
            return None
        finally:
            self._stop, self._patience = None, PATIENCE

    async def _take(self, frame: Frame) -> None:
        if not self._trusted:
            self._admit(frame)
            return
        match frame.type:
            case "audio-start":
                await self._finish()
                self._begin(frame)
            case "audio-chunk":
                intake = self._intake or self._begin(frame)
                if frame.audio != intake.audio:
                    raise ValueError("audio-chunk: another format than the stream began with")
                await intake.take(frame.payload)
                return
            case "audio-stop":
                await self._finish()
            case "describe":
                self._say("info", **_info(self._streams))
            case "ping":
                self._say("pong", text=str(frame.data.get("text") or "")[:1000])
        await asyncio.sleep(PAUSE)

    def _admit(self, frame: Frame) -> None:
        told = frame.data.get("data")
        shown = told.get(TOKEN) if isinstance(told, dict) else None
        named = frame.type == "user-event" and frame.data.get("name") == TOKEN
        if not (named and isinstance(shown, str) and self._token.admits(f"Bearer {shown}")):
            hint = f"begin with the user-event {TOKEN}, data {{{TOKEN}: ...}}"
            raise RefusedError("unauthorized", hint)
        self._trusted = True

    def _begin(self, frame: Frame) -> Intake:
        write = _writer(frame.timestamp)
        try:
            self._intake = Intake(
                self._streams, "wyoming", frame.audio, self._seat, write, profile=frame.profile
            )
        except StreamsFullError as error:
            raise RefusedError("streams-full", str(error)) from None
        except ProfileError as error:
            raise RefusedError("no-profile", str(error)) from None
        return self._intake

    async def _finish(self) -> None:
        """End the stream that is open, if one is, with all that was heard."""
        intake = self._intake
        if intake is not None:
            await intake.end()
            self._intake = None

    async def _end(self, reason: str) -> None:
        if self._intake is not None:
            self._intake.stop(reason)
            await self._intake.over.wait()

    def _say(self, kind: str, **data: Any) -> None:
        self._seat.put(written(kind, data))


def _writer(offset: int) -> Callable[[Event], Iterator[str]]:
    """Return what writes events; `offset` is the client's own time at the start, in ms."""

    def write(event: Event) -> Iterator[str]:
        if isinstance(event, SpeechStarted):
            yield written("voice-started", {"timestamp": offset + round(1000 * event.start)})
        yield written("user-event", {"name": event.type, "data": as_dict(event)})
        if isinstance(event, Utterance):
            yield written("voice-stopped", {"timestamp": offset + round(1000 * event.end)})

    return write


def _info(streams: Streams) -> dict[str, Any]:
    """Return what `describe` is answered: no service that the protocol knows, and ours."""
    known = ("asr", "tts", "handle", "intent", "wake", "mic", "snd")
    model = streams.model
    emotion = {
        "name": "streamser",
        "description": "Which emotion a voice carries",
        "version": __version__,
        "installed": True,
        "attribution": {"name": "streamser", "url": ""},
        "models": [
            {"name": model.name, "version": model.version, "labels": list(model.labels)}
            for model in ([model] if model else [])
        ],
    }
    return {name: [] for name in known} | {"emotion": [emotion]}
