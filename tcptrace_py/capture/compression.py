"""Compressed input: recognised by its first bytes, unpacked as a stream.

Knows gzip, bzip2, xz, zstd and lz4.  Does not know what is inside, nor file names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tcptrace_py.capture.damage import Damage
from tcptrace_py.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcptrace_py.capture.source import Window
    from tcptrace_py.options import Limits

MOST = 1 << 16  # bytes unpacked at a time: what an error in the middle may take with it
FEED = 1 << 16
ZSTD_FEED = 1 << 10  # its output has no bound of its own; run-length blocks make 32 MB of this

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x50\x2a\x4d\x18": "zstd",  # a skippable frame, as pzstd writes first
    b"\x04\x22\x4d\x18": "lz4",
}


class _Unpacker(NamedTuple):
    """A decompressor in the manner of `bz2.BZ2Decompressor`, and what it raises."""

    inner: Any
    errors: tuple[type[Exception], ...]
    feed: int = FEED


def compression_of(head: bytes) -> str:
    """The name of the compression that `head` shows, or an empty string."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")


class Unpacked:
    """A stream of the bytes inside compressed ones; all members, one after the other, up to a bound if there is one."""

    def __init__(self, packed: Window, name: str, limits: Limits) -> None:
        self._limits = limits
        self._most = limits.max_uncompressed
        self._given = 0
        self.live = packed.live
        self._packed = packed
        self._name = name
        self._unpacker = _MAKERS[name](limits)
        self._out = memoryview(b"")

    def readinto(self, target: memoryview) -> int:
        """Fill some of `target`; `Damage` where the compressed bytes break, after all that came before."""
        while not self._out:
            out = self._unpack() if not self._unpacker.inner.eof else b""
            if not out and self._unpacker.inner.eof and not self._next_member():
                return 0
            self._out = memoryview(out)
        size = min(len(self._out), len(target))
        if self._most:
            size = min(size, self._most - self._given)
            if not size:
                why = f"more than {self._most} bytes are inside the {self._name} data (max_uncompressed)"
                raise Damage("max_uncompressed", why, bound="max_uncompressed")
        target[:size] = self._out[:size]
        self._out = self._out[size:]
        self._given += size
        return size

    def _unpack(self) -> bytes:
        unpacker, data = self._unpacker, b""
        if unpacker.inner.needs_input:
            data = self._take(unpacker.feed)
            if not data:
                raise self._packed.fault or Damage("cut_short", f"cut short: the {self._name} data ends too early")
        try:
            out: bytes = unpacker.inner.decompress(data, MOST)
        except unpacker.errors as error:
            raise self._refusal(str(error)) or Damage(
                "bad_compression", f"the {self._name} data is damaged ({error})"
            ) from error
        if unpacker.inner.eof:  # what it did not want is the next member's
            unused = unpacker.inner.unused_data or b""
            self._packed.use(self._packed.start - len(unused))
        return out

    def _refusal(self, error: str) -> Damage | None:
        """The bound that a decompressor's error is about."""
        if "requires too much memory" in error:
            wanted, bound, octets = "a window of more than", "max_zstd_window", self._limits.max_zstd_window
        elif "Memory usage limit" in error:
            wanted, bound, octets = "more memory than", "max_xz_memory", self._limits.max_xz_memory
        else:
            return None
        return Damage("memory_limit", f"the {self._name} data wants {wanted} {octets / (1 << 20):g} MiB", bound=bound)

    def _take(self, most: int) -> bytes:
        """The next compressed bytes, in smaller and smaller pieces towards the end of those at hand.

        An error takes with it what its call had unpacked; so the last call, where a checksum fails, gets one byte.
        """
        packed = self._packed
        if not packed.available:
            packed.fill(1)
        at = packed.start
        size = min(most, packed.available, max(1, packed.available // 8))
        packed.use(at + size)
        return bytes(packed.buffer[at : at + size])

    def _next_member(self) -> bool:
        """Begin the next member; False at the end.  Zeros between or after members are padding."""
        packed = self._packed
        while packed.fill(1):
            rest = bytes(packed.buffer[packed.start : packed.end]).lstrip(b"\0")
            packed.use(packed.end - len(rest))
            if rest:
                break
        if not packed.available:
            if packed.fault:
                raise packed.fault
            return False
        if compression_of(packed.peek(6)) != self._name:
            raise Damage("trailing_junk", f"bytes after the end of the {self._name} data that are no more of it")
        self._unpacker = _MAKERS[self._name](self._limits)
        return True


def _gzip(_limits: Limits) -> _Unpacker:
    try:
        from isal import igzip_lib
    except ModuleNotFoundError:  # the optional, faster way
        import zlib

        return _Unpacker(_Zlib(), (zlib.error,))
    error = cast("type[Exception]", igzip_lib.IsalError)  # its stub says that this is an instance
    return _Unpacker(igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), (error,))


def _bzip2(_limits: Limits) -> _Unpacker:
    import bz2

    return _Unpacker(bz2.BZ2Decompressor(), (OSError, ValueError))


def _xz(limits: Limits) -> _Unpacker:
    import lzma

    return _Unpacker(lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=limits.max_xz_memory), (lzma.LZMAError,))


def _zstd(limits: Limits) -> _Unpacker:
    import zstandard

    return _Unpacker(_Zstd(zstandard, limits.max_zstd_window), (zstandard.ZstdError,), ZSTD_FEED)


def _lz4(_limits: Limits) -> _Unpacker:
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ModuleNotFoundError:
        raise UnsupportedError(
            "compressed with lz4: install the package lz4, or unpack it first", "unsupported_compression"
        ) from None
    return _Unpacker(LZ4FrameDecompressor(), (RuntimeError,))


_MAKERS: dict[str, Callable[[Limits], _Unpacker]] = {
    "gzip": _gzip,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstd": _zstd,
    "lz4": _lz4,
}


class _Zlib:
    """zlib's decompressor in the manner of the others."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, most)


class _Zstd:
    """zstandard's decompressor in the manner of the others, but for the bound on what one call makes."""

    needs_input = True

    def __init__(self, zstandard: Any, max_window: int) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=max_window).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, _most: int) -> bytes:
        return bytes(self._inner.decompress(data))
