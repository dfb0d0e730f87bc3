"""Where bytes become frames: containers, compression, pipes, and tcpdump's printed text.

Knows captures.  Does not know a protocol above the frame.
"""

from tcptrace_py.capture.extent import Extent
from tcptrace_py.capture.frames import LINK_PRINTED, CaptureInfo, Frames, Mark
from tcptrace_py.capture.joined import CaptureSet, Joined
from tcptrace_py.capture.reader import Reader, open_capture

__all__ = ["LINK_PRINTED", "CaptureInfo", "CaptureSet", "Extent", "Frames", "Joined", "Mark", "Reader", "open_capture"]
