"""What `streamser serve` hears, over MQTT: its state, as Home Assistant gets it.

pip install '.[mqtt]'
streamser serve --set mqtt.host=localhost &
python examples/mqtt_subscriber.py [HOST] [PORT]
"""

import json
import sys

import paho.mqtt.client as mqtt


def main(host: str = "localhost", port: str = "1883") -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("streamser/+/+", qos=1)
    client.on_message = tell
    client.connect(host, int(port))
    client.loop_forever()


def tell(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
    _, device, topic = message.topic.split("/")
    if topic == "availability":
        listens = message.payload == b"online"
        print(f"{device} {'listens' if listens else 'does not listen'}", flush=True)
    elif topic == "state":
        state = json.loads(message.payload)
        if state["speaking"]:
            print(f"{device}: somebody speaks, {state['emotion'] or 'wait'}", flush=True)
        elif state["status"] is not None:
            print(f"{device}: it was {state['emotion'] or state['status']}", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"no broker there: {error}")
    except KeyboardInterrupt:
        pass
