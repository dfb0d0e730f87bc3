"""The peers' own rules, replayed over our segments: what Zeek or tshark would have said, in its own words.

Each module follows one program: its way of splitting packets into connections, its roles, its states and letters.
Nothing here has a say in our own labels, and nothing here runs unless a view is asked for.
"""

from typing import Any

from tcptrace_py.peers.tshark import Tshark
from tcptrace_py.peers.zeek import Zeek

VIEWS: dict[str, Any] = {"zeek": Zeek, "tshark": Tshark}
"""Name of a view -> what makes its rows: takes the capture's name, then `rows(batch, tracker)`; gives `records()`."""

__all__ = ["VIEWS", "Tshark", "Zeek"]
