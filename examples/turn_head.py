"""A robot that turns its head to a sad voice, in the console.

python examples/turn_head.py              # the default microphone
python examples/turn_head.py talk.wav     # a recording, in real time
arecord -q -f S16_LE -r 16000 | python examples/turn_head.py -
"""

import sys

from streamser import Emotion, Listener, SourceError, SpeechStarted, Utterance

AWAY, LISTENING, TOWARDS = "(o_o )", "( o_o)", "( ;_;)"


def main() -> None:
    with Listener(sys.argv[1] if len(sys.argv) > 1 else None) as listener:
        for event in listener:
            match event:
                case SpeechStarted():
                    say(event.t, LISTENING, "somebody speaks")
                case Utterance(label="sad"):
                    say(event.t, TOWARDS, "they sounded sad: I stay with them")
                case Utterance():
                    say(event.t, AWAY, f"they sounded {event.label or 'like nothing I know'}")
                case Emotion(label="sad", status="steady"):
                    say(event.t, TOWARDS, "I turn my head: this voice is sad")


def say(t: float, head: str, words: str) -> None:
    print(f"{t:7.2f} s  {head}  {words}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except SourceError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
