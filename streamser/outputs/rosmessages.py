"""The ROS 2 messages that are published, as DDS knows them.

Fields are those of `PACKAGE/msg/NAME.msg`, type names are mangled as ROS 2 does it; hri_msgs is
that of ROS4HRI (REP-155). cyclonedds encodes them as CDR, little-endian on the machines we know.
"""  # annotations have to be types here, so they are not postponed

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float32, int32, uint32

if TYPE_CHECKING:
    from collections.abc import Sequence as sequence  # noqa: N813
else:
    from cyclonedds.idl.types import sequence


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    """A point in time."""

    sec: int32
    """Seconds since 1970, UTC."""

    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    """When and where."""

    stamp: Time
    frame_id: str


@dataclass
class Bool(IdlStruct, typename="std_msgs::msg::dds_::Bool_"):
    """A truth."""

    data: bool


@dataclass
class IdsList(IdlStruct, typename="hri_msgs::msg::dds_::IdsList_"):
    """Who is tracked."""

    header: Header
    ids: sequence[str]


@dataclass
class Expression(IdlStruct, typename="hri_msgs::msg::dds_::Expression_"):
    """An emotion, as a category and as valence and arousal."""

    header: Header
    expression: str
    """One of the message's constants, or empty."""

    valence: float32
    """-1 to 1."""

    arousal: float32
    """-1 to 1."""

    confidence: float32
    """0 to 1."""


def stamp(at: datetime) -> Time:
    """Return a time as ROS has it."""
    seconds, micros = divmod(round(at.timestamp() * 1e6), 1_000_000)
    return Time(sec=seconds, nanosec=micros * 1000)
