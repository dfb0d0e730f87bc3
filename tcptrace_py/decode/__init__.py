"""Where frames become segments: everyday layers compiled, rare ones peeled off, fragments joined."""

from tcptrace_py.decode._batch import Batch
from tcptrace_py.decode.decoder import Decoder
from tcptrace_py.decode.quotes import QuotedError

__all__ = ["Batch", "Decoder", "QuotedError"]
