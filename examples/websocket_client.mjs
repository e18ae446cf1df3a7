/* What `streamser serve` hears, over WebSocket, in plain JavaScript: for browsers (see page.html)
   and for Node.js 22 or later (20 with --experimental-websocket).

     streamser serve --set websocket &
     node examples/websocket_client.mjs [ws://127.0.0.1:8767] [TOKEN]
*/

/** Call `onEvent` with every event, and connect again when the server was away. */
export function listen(url, onEvent, token) {
  // A browser's WebSocket can set no header, so the token goes into the address.
  const address = token ? `${url}/?token=${encodeURIComponent(token)}` : url;
  const socket = new WebSocket(address);
  let again = () => {
    again = () => {};  // an error may be followed by a close, or not
    onEvent({ type: "closed" });
    setTimeout(listen, 1000, url, onEvent, token);
  };
  socket.onmessage = (message) => onEvent(JSON.parse(message.data));
  socket.onclose = socket.onerror = () => again();
}

/** Return a line for an event that is worth one. */
export function tell(event) {
  switch (event.type) {
    case "session.started":
      return `it listens to ${event.source}`;
    case "source.lost":
      return `it hears nothing: ${event.reason}`;
    case "utterance":
      return event.label ? `${event.label} (${Math.round(event.confidence * 100)} %)` : event.status;
    case "closed":
      return "the server is away";
  }
}

if (typeof process !== "undefined") {
  const [url = "ws://127.0.0.1:8767", token] = process.argv.slice(2);
  listen(url, (event) => tell(event) && console.log(tell(event)), token);
}
