"""Where tshark and we read a frame differently, and why: the list that the conformance tests allow, and no more."""

from __future__ import annotations

from typing import NamedTuple


class Deviation(NamedTuple):
    """Frames of a reference capture (numbers, parted by blanks) that differ for one reason."""

    file: str
    frames: str
    reason: str


BELIEVE_IP = "the record's original length is below the IP length: we believe the IP header, tshark the record"
NO_HEADER = "the TCP data offset is impossible: no row here (bad_tcp_header), ports without payload in tshark"
CUT_HEADER = "the capture ends within the TCP header: no row here (truncated_header), ports only in tshark"
NO_FCS = "tshark takes the last octets, of the TCP options, for a frame check sequence that nothing announces"

DEVIATIONS = [
    Deviation("nDPI__ajp.pcap", "3 6 8 10 11 16 22 25 27 29 30 35", NO_FCS),
    Deviation("nDPI__reasm_crash_anon.pcapng", "15 17 45 68 81 87 108 130 190", BELIEVE_IP),
    Deviation("nDPI__reasm_crash_anon.pcapng", "95", NO_HEADER),
    Deviation("suricata-verify__bug-76__input.pcap", "8 22", BELIEVE_IP),
    Deviation("suricata-verify__bug-76__input.pcap", "46", NO_HEADER),
    Deviation("suricata-verify__drop-protocol-change__input.pcap", "7", CUT_HEADER),
    Deviation("tcpdump__bgp_pmsi_tunnel-oobr.pcap", "1", NO_HEADER),
    Deviation("tcpdump__rpki-rtr-oobr.pcap", "1", NO_HEADER),
    Deviation("tcpdump__tcp_header_heapoverflow.pcap", "1", CUT_HEADER),
    Deviation("zeek__modbus__fuzz-72.pcap", "1 20", BELIEVE_IP),
    Deviation("zeek__tunnels__gtp__gtp9_unknown_or_too_short_payload.pcap", "11", BELIEVE_IP),
    Deviation(
        "6syns.dmp",
        "7 10 11 12 13 15 16 24 27 28 30 31 33 34 36 37 38 40 41 43 45 46 47 49 51 53 54 56 58 59 60 65",
        BELIEVE_IP,
    ),
    Deviation(
        "fast_reuse.dmp",
        "2 3 4 6 7 9 18 21 22 24 25 26 28 29 30 32 33 37 39 41 43 45 47 49 51 53 55 57 59 61 63 65 67 69 71 "
        "73 75 77 79 80 88 91 92 94 95 96 98 99 100 102 103 107 109 111 113 115 117 119 121 123 125 127 129 "
        "131 133 135 137 139 141 143 145 147 149 151 153 155 157 159 161 163 165 167 169 171 173 175 177 179 "
        "181 183 185 187 189 190 198 201 202 204 205 206 208 209 210 212 213 217 219 221 223 225 227 229 231 "
        "233 235 237 239 241 243 245 247 249 251 253 255 257 259 261 263 265 267 269 271 273 275 277 279 281 "
        "283 285 287 289 291 293 295 297 299 301 303 305 307 309 311 313 315 317 319 320 328 338 341 342 344 "
        "345 346 348 349 357 367 370 377 380 387 417 427 437 440 457 460 461 463 464 465 467 468 469 471 472 "
        "476 478 480 482 484 486 488 490 492 494 496 498 499 507",
        BELIEVE_IP,
    ),
    Deviation("long_rtt.dmp", "4 7 8 10 11 12 14 15 16 18 19 21 22 23 25 26 28 31 33 35 37 39", BELIEVE_IP),
    Deviation("tcpudp.dmp", "26 36", BELIEVE_IP),
]
