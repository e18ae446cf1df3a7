"""Send a recording to `streamser serve` with Wyoming's own client, as Rhasspy's services do.

pip install '.[serve]' wyoming
streamser serve --set wyoming --input none &
python examples/wyoming_client.py talk.wav [127.0.0.1] [10767] [TOKEN]
"""

import asyncio
import contextlib
import sys
import wave

from wyoming.audio import AudioStop, wav_to_chunks
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.user_event import UserEvent
from wyoming.vad import VoiceStarted


async def main(file: wave.Wave_read, host: str, port: int, token: str | None) -> None:
    async with AsyncTcpClient(host, port) as client:
        if token is not None:
            await client.write_event(UserEvent(name="token", data={"token": token}).event())
        sending = asyncio.create_task(send(client, file))
        while (event := await client.read_event()) is not None:
            if VoiceStarted.is_type(event.type):
                print("somebody speaks", flush=True)
            elif Error.is_type(event.type):
                sys.exit(f"wyoming_client.py: {Error.from_event(event).text}")
            elif UserEvent.is_type(event.type):
                told = UserEvent.from_event(event)
                if told.name == "utterance":
                    print(told.data["label"] or told.data["status"], flush=True)
                elif told.name == "session.ended":
                    break
        await sending


async def send(client: AsyncTcpClient, file: wave.Wave_read) -> None:
    with contextlib.suppress(ConnectionError):  # then what the server said tells why
        for chunk in wav_to_chunks(file, samples_per_chunk=1024, start_event=True):
            await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    _, path, host, port, token, *_ = [*sys.argv, *[None] * 3]
    try:
        with wave.open(path) as file:
            asyncio.run(main(file, host or "127.0.0.1", int(port or 10767), token))
    except (OSError, EOFError, wave.Error) as error:
        sys.exit(f"wyoming_client.py: {error}")
    except KeyboardInterrupt:
        pass
