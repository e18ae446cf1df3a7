"""PulseAudio's client library, as far as a microphone needs it: types and names of its C header."""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Any

CONTEXT_READY, STREAM_READY, OPERATION_DONE = 4, 2, 1
"""States; what is beyond has failed or ended."""

S16LE = 3
NO_AUTOSPAWN = 1
DONT_MOVE, ADJUST_LATENCY = 0x0200, 0x2000
AS_IT_LIKES = 0xFFFFFFFF


class SampleSpec(ctypes.Structure):
    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class BufferAttributes(ctypes.Structure):
    _fields_ = tuple(
        (name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")
    )


class SourceInfo(ctypes.Structure):
    """The first fields of pa_source_info."""

    _fields_ = (
        ("name", c_char_p),
        ("index", c_uint32),
        ("description", c_char_p),
        ("sample_spec", SampleSpec),
    )


class ServerInfo(ctypes.Structure):
    """The first fields of pa_server_info."""

    _fields_ = (
        *((name, c_char_p) for name in ("user_name", "host_name", "version", "name")),
        ("sample_spec", SampleSpec),
        ("default_sink", c_char_p),
        ("default_source", c_char_p),
    )


SourceTold = ctypes.CFUNCTYPE(None, c_void_p, POINTER(SourceInfo), c_int, c_void_p)
ServerTold = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ServerInfo), c_void_p)


@functools.cache
def library() -> Any:
    """Return the library with the types of what is used of it; None where it is not installed."""
    try:
        pulse = ctypes.CDLL("libpulse.so.0")
    except OSError:
        return None
    for name, result, *arguments in (
        ("pa_mainloop_new", c_void_p),
        ("pa_mainloop_get_api", c_void_p, c_void_p),
        ("pa_mainloop_iterate", c_int, c_void_p, c_int, c_void_p),
        ("pa_mainloop_prepare", c_int, c_void_p, c_int),
        ("pa_mainloop_poll", c_int, c_void_p),
        ("pa_mainloop_dispatch", c_int, c_void_p),
        ("pa_mainloop_free", None, c_void_p),
        ("pa_context_new", c_void_p, c_void_p, c_char_p),
        ("pa_context_connect", c_int, c_void_p, c_char_p, c_int, c_void_p),
        ("pa_context_get_state", c_int, c_void_p),
        ("pa_context_get_source_info_by_name", c_void_p, c_void_p, c_char_p, SourceTold, c_void_p),
        ("pa_context_get_source_info_list", c_void_p, c_void_p, SourceTold, c_void_p),
        ("pa_context_get_server_info", c_void_p, c_void_p, ServerTold, c_void_p),
        ("pa_context_disconnect", None, c_void_p),
        ("pa_context_unref", None, c_void_p),
        ("pa_operation_get_state", c_int, c_void_p),
        ("pa_operation_unref", None, c_void_p),
        ("pa_stream_new", c_void_p, c_void_p, c_char_p, POINTER(SampleSpec), c_void_p),
        ("pa_stream_connect_record", c_int, c_void_p, c_char_p, POINTER(BufferAttributes), c_int),
        ("pa_stream_get_state", c_int, c_void_p),
        ("pa_stream_get_device_name", c_char_p, c_void_p),
        ("pa_stream_readable_size", c_size_t, c_void_p),
        ("pa_stream_peek", c_int, c_void_p, POINTER(c_void_p), POINTER(c_size_t)),
        ("pa_stream_drop", c_int, c_void_p),
        ("pa_stream_disconnect", c_int, c_void_p),
        ("pa_stream_unref", None, c_void_p),
    ):
        function = getattr(pulse, name)
        function.restype, function.argtypes = result, arguments
    return pulse
