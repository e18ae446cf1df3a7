"""Emotions in an asyncio program: it does something else while nobody speaks.

python examples/async_listener.py              # the default microphone
python examples/async_listener.py talk.wav     # a recording, in real time
arecord -q -f S16_LE -r 16000 | python examples/async_listener.py -
"""

import asyncio
import sys

from streamser import Listener, SourceError, Utterance


async def listen(source: str | None) -> None:
    async with Listener(source) as listener:
        async for event in listener:
            if isinstance(event, Utterance):
                print(
                    f"{event.start:.2f} to {event.end:.2f} s: {event.label or event.status}",
                    flush=True,
                )


async def tick() -> None:
    while True:
        print("the rest of the program goes on", flush=True)
        await asyncio.sleep(1)


async def main() -> None:
    ticking = asyncio.create_task(tick())
    try:
        await listen(sys.argv[1] if len(sys.argv) > 1 else None)
    finally:
        ticking.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except SourceError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
