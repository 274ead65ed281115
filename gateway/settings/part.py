"""What all parts of the settings have in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """The settings of one area, which ``Settings`` puts together; or several values that one variable holds as JSON.

    Durations are in seconds, sizes in bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
