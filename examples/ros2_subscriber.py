"""What `streamser serve` publishes for ROS 2, heard without ROS.

    pip install '.[ros2]'
    streamser serve --set ros2.domain=0 &
    python examples/ros2_subscriber.py [DOMAIN]

With ROS 2 and hri_msgs installed, ROS's own tools hear the same:

    ROS_LOCALHOST_ONLY=1 ros2 topic echo /humans/voices/streamser/expression
"""

import contextlib
import sys
from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float32, int32, uint32
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class Expression(IdlStruct, typename="hri_msgs::msg::dds_::Expression_"):
    header: Header
    expression: str
    valence: float32
    arousal: float32
    confidence: float32


LOOPBACK = """<CycloneDDS><Domain><General><Interfaces><NetworkInterface name="lo"/></Interfaces>
</General></Domain></CycloneDDS>"""


def main(number: int = 0) -> None:
    domain = Domain(number, LOOPBACK)
    participant = DomainParticipant(number)
    topic = Topic(participant, "rt/humans/voices/streamser/expression", Expression)
    reliable = Policy.Reliability.Reliable(duration(milliseconds=100))
    reader = DataReader(participant, topic, qos=Qos(reliable, Policy.History.KeepLast(10)))
    print(f"waiting in domain {number}", flush=True)
    while domain:
        for message in reader.take_iter(timeout=duration(seconds=1)):
            told = message.expression or "unknown"
            print(f"{told} ({message.confidence:.0%})", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*map(int, sys.argv[1:]))
