"""Send a recording or the microphone to `streamser serve`, and print what it says of that alone.

pip install '.[serve]'
streamser serve --set websocket.audio=true --input none &
python examples/stream_audio.py talk.wav [ws://127.0.0.1:8767/audio] [TOKEN]
python examples/stream_audio.py mic
"""

import asyncio
import contextlib
import json
import sys
import wave
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

BLOCK = 0.1  # seconds of audio in a message


async def main(what: str, url: str, token: str | None) -> None:
    rate, channels, blocks = microphone() if what == "mic" else recording(what)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with connect(url, additional_headers=headers) as server:
        start = {"type": "start", "format": "s16le", "rate": rate, "channels": channels}
        await server.send(json.dumps(start))
        sending = asyncio.create_task(send(server, blocks))  # while it answers
        with contextlib.suppress(ConnectionClosed):
            async for message in server:
                tell(json.loads(message))
        sending.cancel()
        if server.protocol.close_code != 1000:
            sys.exit(
                f"the server ended: {server.protocol.close_reason or server.protocol.close_code}"
            )


async def send(server: ClientConnection, blocks: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for block in blocks:
            await server.send(block)  # waits when this is faster than the server takes it
        await server.send('{"type": "end"}')


def recording(path: str) -> tuple[int, int, AsyncIterator[bytes]]:
    file = wave.open(path)  # noqa: SIM115
    if file.getsampwidth() != 2:
        sys.exit(f"{path}: has to have samples of 16 bits")

    async def blocks() -> AsyncIterator[bytes]:
        while block := file.readframes(round(BLOCK * file.getframerate())):
            yield block

    return file.getframerate(), file.getnchannels(), blocks()


def microphone() -> tuple[int, int, AsyncIterator[bytes]]:
    import sounddevice

    async def blocks() -> AsyncIterator[bytes]:
        with sounddevice.RawInputStream(16_000, channels=1, dtype="int16") as stream:
            while True:
                block, _ = await asyncio.to_thread(stream.read, round(BLOCK * 16_000))
                yield bytes(block)

    return 16_000, 1, blocks()


def tell(event: dict) -> None:
    match event:
        case {"type": "utterance", "label": str(label), "start": start, "confidence": confidence}:
            print(f"{start:7.2f} s: {label} ({confidence:.0%})", flush=True)
        case {"type": "health", "dropped_s": dropped} if dropped > 0:
            print(f"the server was too slow: {dropped:.1f} s were not heard", flush=True)
        case {"type": "session.ended", "t": seconds}:
            print(f"{seconds:.1f} s heard", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    arguments = [*sys.argv[1:], None, None]
    try:
        asyncio.run(main(arguments[0], arguments[1] or "ws://127.0.0.1:8767/audio", arguments[2]))
    except (OSError, EOFError, wave.Error, InvalidStatus) as error:
        sys.exit(f"stream_audio.py: {error}")
    except KeyboardInterrupt:
        pass
