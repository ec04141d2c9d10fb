"""The options of the command line, each declared once: its name, help, group and default.

Options that belong together are the fields of a dataclass, which a command takes as one parameter; the others are
aliases. `bench.cli.command` makes options of both.
"""
