"""How something is said to be wrong, not proved, or unreadable."""


class Refused(Exception):
    """Something is wrong with what is looked at; the text says what."""


class NotProved(Exception):
    """Nothing is known to be wrong, and yet it is not proved; the text says why."""


class TooMuch(Exception):
    """The bundle asks for more of ``what`` than ``limit``: the examination ends."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.what, self.limit = what, limit


class Unreadable(Exception):
    """The bundle or the anchors cannot be read at all."""


class Broken(Exception):
    """The archive is not as a bundle is written. ``name`` is the file concerned, empty where it is none."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why
