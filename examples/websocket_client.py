"""What `streamser serve` hears, over WebSocket; it connects again when the server was away.

pip install '.[serve]'
streamser serve --set websocket &
python examples/websocket_client.py [ws://127.0.0.1:8767] [TOKEN]
"""

import asyncio
import contextlib
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main(url: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async for connection in connect(url, additional_headers=headers):
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                tell(json.loads(message))
        print("the server went away", flush=True)


def tell(event: dict) -> None:
    match event:
        case {"type": "session.started", "source": source}:
            print(f"it listens to {source}", flush=True)
        case {"type": "source.lost", "reason": reason}:
            print(f"it hears nothing: {reason}", flush=True)
        case {"type": "utterance", "label": str(label), "confidence": confidence}:
            print(f"{label} ({confidence:.0%})", flush=True)
        case {"type": "utterance", "status": status}:
            print(status, flush=True)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], None, None]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(arguments[0] or "ws://127.0.0.1:8767", arguments[1]))
