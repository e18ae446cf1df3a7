"""Where samples come from: microphone, recording, pipe."""
