"""How a start is refused."""

from typing import Final

PREFIX: Final = "BANDIAN_"
"""Of every variable."""


class SettingsError(ValueError):
    """The start is refused; the text is one sentence for the operator, without any value."""
