"""Where frames become segments: everyday layers compiled, rare ones peeled off, fragments joined."""

from typing import TYPE_CHECKING, Any

from tcptrace_py.decode._batch import Batch
from tcptrace_py.decode.decoder import Decoder
from tcptrace_py.decode.quotes import QuotedError

if TYPE_CHECKING:
    from tcptrace_py.decode.through_dpkt import DpktDecoder

__all__ = ["Batch", "Decoder", "DpktDecoder", "QuotedError"]


def __getattr__(name: str) -> Any:
    if name != "DpktDecoder":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tcptrace_py.decode.through_dpkt import DpktDecoder  # importing dpkt takes longer than most captures

    return DpktDecoder
