"""The peers' own rules, replayed over our segments: what Zeek, tshark or tcptrace would have said, in its own words.

Each module follows one program: its way of splitting packets into connections, its roles, its states and letters.
Nothing here has a say in our own labels, and nothing here runs unless a view is asked for.
"""

from tcptrace_py.peers.tcptrace import Tcptrace
from tcptrace_py.peers.tshark import Tshark
from tcptrace_py.peers.zeek import Zeek

__all__ = ["Tcptrace", "Tshark", "Zeek"]
