"""What ends a turn or the whole comparison, told in one line."""


class Failure(Exception):
    """Something that the reader of the report or of the terminal must know of."""


class Unsupported(Failure):
    """The server, or the machine, lacks what the load asks for: nothing has gone wrong."""
