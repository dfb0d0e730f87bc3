"""tcptrace 6.6.7: its connections and every counter of its long output (``tcptrace -l -r -W``).

Learned from its manual, from the baselines of its own regression suite and by running it; none of its code is here.
What it holds of an end: a list of the segments sent (`octets`), what their acknowledgments tell (`answers`), windows
(`windows`) and plain counts (`ends`).  `lives` says where a connection ends and another begins, `counters` names all.
"""

from tcptrace_py.peers.tcptrace.lives import Tcptrace

__all__ = ["Tcptrace"]
