"""The subcommands of `python -m train`, one file each.

Each has NAME, HELP and EXAMPLE, `add_arguments(parser)` and `run(arguments)`, which returns the
exit code. What is slow to import is imported in `run`.
"""
