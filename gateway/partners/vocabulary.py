"""What agreements may speak of. The rooms that own these words lie above; ``bootstrap`` hands them down."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """``fields`` are the fields and predicates of each certificate kind (证照类型), ``stages`` the stages (环节)."""

    fields: Mapping[str, frozenset[str]]
    stages: frozenset[str]
