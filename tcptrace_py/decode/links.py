"""Link types by number: which are decoded, and what the others are called.

Names are those of https://www.tcpdump.org/linktypes.html without their prefix; only what is met in captures.
"""

from __future__ import annotations

from tcptrace_py.capture.frames import LINK_PRINTED
from tcptrace_py.decode.kinds import LINK
from tcptrace_py.decode.rare import PEEL

EVERYDAY = (0, 1, 12, 14, 101, 108, 113, 228, 229, 276, LINK_PRINTED)
"""Read by the compiled walk itself, and printed text."""

NAMES = {
    3: "AX25",
    8: "SLIP",
    11: "ATM_RFC1483",
    106: "ATM_CLIP",
    114: "LTALK",
    118: "CISCO_IOS",
    123: "SUNATM",
    143: "DOCSIS",
    144: "LINUX_IRDA",
    165: "BACNET_MS_TP",
    177: "LINUX_LAPD",
    182: "MFR",
    187: "BLUETOOTH_HCI_H4",
    189: "USB_LINUX",
    195: "IEEE802_15_4_WITHFCS",
    201: "BLUETOOTH_HCI_H4_WITH_PHDR",
    203: "LAPD",
    220: "USB_LINUX_MMAPPED",
    224: "FC_2",
    226: "IPNET",
    227: "CAN_SOCKETCAN",
    230: "IEEE802_15_4_NOFCS",
    231: "DBUS",
    240: "NETANALYZER",
    243: "MPEG_2_TS",
    245: "NFC_LLCP",
    247: "INFINIBAND",
    248: "SCTP",
    249: "USBPCAP",
    251: "BLUETOOTH_LE_LL",
    252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK",
    254: "BLUETOOTH_LINUX_MONITOR",
    256: "BLUETOOTH_LE_LL_WITH_PHDR",
    264: "ISO_14443",
    266: "USB_DARWIN",
    271: "VSOCK",
    272: "NORDIC_BLE",
    280: "IEEE802_15_4_TAP",
    **{number: f"USER{number - 147}" for number in range(147, 163)},
}


def is_decoded(link: int) -> bool:
    """Whether frames of this link type can give segments."""
    return link in EVERYDAY or LINK + link in PEEL


def named(link: int) -> str:
    """``link type 189 (USB_LINUX)``."""
    return f"link type {link} ({NAMES[link]})" if link in NAMES else f"link type {link} (no name known)"
