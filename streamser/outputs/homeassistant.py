"""What Home Assistant is told, so that it finds streamser by itself (MQTT device discovery)."""

from __future__ import annotations

from typing import Any

from streamser.events import SessionStarted

ONLINE, OFFLINE = "online", "offline"


def discovery(
    session: SessionStarted, *, id: str, state_topic: str, availability_topic: str
) -> dict[str, Any]:
    """Return the payload of PREFIX/device/ID/config: one device with six entities."""
    labels = [label for label in session.model.labels if label != "unknown"]
    sensors: dict[str, dict[str, Any]] = {
        "emotion": {
            "name": "Emotion",
            "device_class": "enum",
            "options": labels,
            "icon": "mdi:emoticon-outline",
            "value_template": "{{ value_json.emotion }}",
            "json_attributes_topic": state_topic,
        },
        "confidence": {
            "name": "Confidence",
            "unit_of_measurement": "%",
            "suggested_display_precision": 0,
            "state_class": "measurement",
            "icon": "mdi:percent-outline",
            "value_template": _number("confidence", " * 100"),
        },
        "valence": {
            "name": "Valence",
            "suggested_display_precision": 2,
            "state_class": "measurement",
            "icon": "mdi:thumbs-up-down-outline",
            "value_template": _number("valence"),
        },
        "arousal": {
            "name": "Arousal",
            "suggested_display_precision": 2,
            "state_class": "measurement",
            "icon": "mdi:flash-outline",
            "value_template": _number("arousal"),
        },
    }
    speaking = {
        "p": "binary_sensor",
        "name": "Speaking",
        "device_class": "sound",
        "value_template": "{{ 'ON' if value_json.speaking else 'OFF' }}",
    }
    listening = {
        "p": "binary_sensor",
        "name": "Listening",
        "device_class": "running",
        "icon": "mdi:microphone",
        "state_topic": availability_topic,
        "payload_on": ONLINE,
        "payload_off": OFFLINE,
    }
    # Not of the device, whose keys all components inherit: that nothing is heard is what Listening
    # is there to tell.
    while_heard = {
        "availability_topic": availability_topic,
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
    }
    components = {key: {"p": "sensor", **sensor, **while_heard} for key, sensor in sensors.items()}
    components |= {"speaking": speaking | while_heard, "listening": listening}
    return {
        "dev": {
            "ids": [id],
            "name": id,
            "mf": "streamser",
            "mdl": session.model.name,
            "sw": session.version,
        },
        "o": {"name": "streamser", "sw": session.version},
        "cmps": {key: {"unique_id": f"{id}_{key}", **what} for key, what in components.items()},
        "state_topic": state_topic,
        "qos": 1,
    }


def _number(field: str, scaled: str = "") -> str:
    """Return a template; a number that is not known yet makes the sensor unknown."""
    value = f"value_json.{field}"
    return f"{{{{ None if {value} is none else ({value}{scaled}) | round(2) }}}}"
