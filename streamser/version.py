"""The version of streamser, and nothing else."""

__version__ = "0.1.0"
