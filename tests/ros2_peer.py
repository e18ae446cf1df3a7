"""A participant of a DDS domain in a process of its own: prints all that it hears as JSON Lines."""

from __future__ import annotations

import dataclasses
import json
import sys
import time

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication
from cyclonedds.core import Policy, Qos, ReadCondition, SampleState, WaitSet
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from streamser.outputs.rosmessages import Bool, Expression, IdsList

LOOPBACK = """<CycloneDDS><Domain><General><Interfaces><NetworkInterface name="lo"/></Interfaces>
</General></Domain></CycloneDDS>"""
TOPICS = {"tracked": IdsList, "ear/is_speaking": Bool, "ear/expression": Expression}


def tell(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def main(number: int) -> None:
    domain = Domain(number, LOOPBACK)
    participant = DomainParticipant(number)
    qos = Qos(
        Policy.Reliability.Reliable(duration(milliseconds=100)),
        Policy.Durability.Volatile,
        Policy.History.KeepLast(1000),
    )
    publications = BuiltinDataReader(participant, BuiltinTopicDcpsPublication)
    readers = {
        name: DataReader(participant, Topic(participant, f"rt/humans/voices/{name}", kind), qos=qos)
        for name, kind in TOPICS.items()
    }
    waiting = WaitSet(participant)
    for reader in (*readers.values(), publications):
        waiting.attach(ReadCondition(reader, SampleState.NotRead))
    tell(ready=True)
    ended = time.monotonic() + 120
    while time.monotonic() < ended:
        waiting.wait(duration(seconds=1))
        for found in publications.take(100):
            if found.sample_info.valid_data:
                tell(found=found.topic_name, type=found.type_name, qos=str(found.qos))
        for name, reader in readers.items():
            for sample in reader.take(1000):
                if sample.sample_info.valid_data:
                    tell(topic=name, **dataclasses.asdict(sample))
    del domain


if __name__ == "__main__":
    main(int(sys.argv[1]))
