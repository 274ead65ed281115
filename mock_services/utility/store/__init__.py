"""The utility's own database, SQLite: a file here for each thing that it keeps, and what an event changes of them.

An event and its effect are one transaction, so a repeated event finds its first copy and does nothing more.
"""

from mock_services.utility.store.effects import Effect
from mock_services.utility.store.events import EventChanged
from mock_services.utility.store.plans import Work
from mock_services.utility.store.store import Store

__all__ = ["Effect", "EventChanged", "Store", "Work"]
