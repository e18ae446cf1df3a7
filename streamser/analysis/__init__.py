"""Samples in, events out; no I/O, no clock, no thread."""
