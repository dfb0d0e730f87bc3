"""Questions that come up again and again, declared: what each tells, its SQL, and what can be set.

Knows SQL over the tables.  Does not ask, and does not write answers.  The list of the command and the page in the docs
are made from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from tcptrace_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Value = int | float | str


@dataclass(frozen=True, slots=True)
class Setting:
    """What can be set: ``$name`` in the SQL."""

    name: str
    default: Value
    meaning: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question.  Its answer is in an order that leaves nothing to chance, at most `rows` rows where that is set."""

    name: str
    tells: str
    sql: str
    settings: tuple[Setting, ...] = ()

    def values(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """What its SQL gets for ``$name``: what is given, else the defaults."""
        known = {each.name: each.default for each in self.settings}
        for name, value in given.items():
            if name not in known:
                there = f"it has {', '.join(known)}" if known else "it has none"
                raise UsageError(f"{self.name}: there is no setting {name!r}; {there}")
            if isinstance(value, str):
                raise UsageError(f"{self.name}: {name} is a number, not {value!r}")
        return known | dict(given)


def _q(name: str, tells: str, sql: str, *settings: Setting) -> Question:
    text = dedent(sql).strip()
    most = (Setting("rows", 20, "the most rows of the answer"),) if "$rows" in text else ()
    return Question(name, tells, text, (*settings, *most))


_HOSTS = """\
            WITH hosts AS (
                SELECT client_ip AS host, server_ip AS peer, COLUMNS('c2s_(.*)') AS 'sent_\\1',
                    COLUMNS('s2c_(.*)') AS 'got_\\1'
                FROM connections
                UNION ALL
                SELECT server_ip, client_ip, COLUMNS('s2c_.*'), COLUMNS('c2s_.*') FROM connections
            )"""

QUESTIONS: dict[str, Question] = {
    each.name: each
    for each in (
        _q(
            "slow-handshakes",
            "Connections whose handshake, from the first SYN to the ACK of the SYN-ACK, took longer than the threshold",
            """
            SELECT capture, conn_id, client_ip, server_ip, server_port, syn_time,
                epoch_ns(hs_ack_time) - epoch_ns(syn_time) AS handshake_ns, syn_rtt_ns, ack_rtt_ns, syn_count,
                syn_ack_count
            FROM connections
            WHERE epoch_ns(hs_ack_time) - epoch_ns(syn_time) > $threshold_ms * 1000000::BIGINT
            ORDER BY handshake_ns DESC, capture, conn_id
            LIMIT $rows
            """,
            Setting("threshold_ms", 200, "how long a handshake may take"),
        ),
        _q(
            "never-answered",
            "Servers that did not answer a SYN: on how many connections, how often clients asked, and how many clients",
            """
            SELECT server_ip, server_port, count(*) AS connections, count(DISTINCT client_ip) AS clients,
                sum(syn_count)::BIGINT AS syns, min(start) AS first_time, max("end") AS last_time
            FROM connections
            WHERE handshake = 'no_answer'
            GROUP BY server_ip, server_port
            ORDER BY count(*) DESC, syns DESC, server_ip, server_port
            LIMIT $rows
            """,
        ),
        _q(
            "resets-by-server",
            "Services that end connections with a RST of their own: refusals, aborts, resets after a FIN, and which "
            "share of the service's connections that is",
            """
            SELECT server_ip, server_port, count(*) FILTER (reset_by = 'server') AS resets, count(*) AS connections,
                resets / count(*) AS share,
                count(*) FILTER (reset_by = 'server' AND teardown = 'refused') AS refused,
                count(*) FILTER (reset_by = 'server' AND teardown = 'abort') AS aborts,
                count(*) FILTER (reset_by = 'server' AND teardown = 'reset_after_fin') AS after_fin
            FROM connections
            GROUP BY server_ip, server_port
            HAVING resets > 0
            ORDER BY resets DESC, share DESC, server_ip, server_port
            LIMIT $rows
            """,
        ),
        _q(
            "retransmission-by-prefix",
            "Networks (/24, /48) of clients by the share of payload octets that were sent again, either way",
            """
            SELECT prefix(client_ip, client_addr) AS client_prefix, count(*) AS connections,
                sum(c2s_octets + s2c_octets)::BIGINT AS octets,
                sum(c2s_resent_octets + s2c_resent_octets)::BIGINT AS resent_octets, resent_octets / octets AS share
            FROM connections
            WHERE c2s_octets + s2c_octets > 0 AND c2s_resent_octets + s2c_resent_octets IS NOT NULL
            GROUP BY client_prefix
            HAVING count(*) >= $least
            ORDER BY share DESC, octets DESC, client_prefix
            LIMIT $rows
            """,
            Setting("least", 1, "the least connections of a network that say something"),
        ),
        _q(
            "time-wait-reuse",
            "Connections on the addresses and ports of one that had ended only just before: a server that answers such "
            "a SYN with an old ACK makes its client wait",
            """
            SELECT capture, conn_id, client_ip, client_port, server_ip, server_port, start, reuse_gap_ns, handshake,
                list_has_any(findings, ['tw_reuse_bad']) AS too_early
            FROM connections
            WHERE reuse_gap_ns < $within_s * 1000000000::BIGINT
            ORDER BY too_early DESC, reuse_gap_ns, capture, conn_id
            LIMIT $rows
            """,
            Setting("within_s", 60, "how soon after the end of the earlier connection"),
        ),
        _q(
            "zero-window-hosts",
            "Hosts that could not take more data: how often they closed their window, and for how long",
            _HOSTS
            + """
            SELECT host, count(*) AS connections, sum(sent_zero_windows)::BIGINT AS zero_windows,
                sum(sent_zero_window_ns)::BIGINT AS closed_ns, max(sent_zero_window_ns) AS closed_max_ns
            FROM hosts
            WHERE sent_zero_windows > 0
            GROUP BY host
            ORDER BY closed_ns DESC NULLS LAST, zero_windows DESC, host
            LIMIT $rows
            """,
        ),
        _q(
            "top-talkers",
            "Hosts by the payload that they sent and got, each octet counted once",
            _HOSTS
            + """
            SELECT host, count(*) AS connections, count(DISTINCT peer) AS peers,
                coalesce(sum(sent_unique_octets), 0)::BIGINT AS sent_octets,
                coalesce(sum(got_unique_octets), 0)::BIGINT AS got_octets
            FROM hosts
            GROUP BY host
            ORDER BY sum(coalesce(sent_unique_octets, 0) + coalesce(got_unique_octets, 0)) DESC, count(*) DESC, host
            LIMIT $rows
            """,
        ),
        _q(
            "half-closed-long",
            "Connections of which one side had closed while the other went on for longer than the threshold",
            """
            SELECT capture, conn_id, client_ip, server_ip, server_port, closed_first, fin_1_time, half_close_ns,
                half_close_octets
            FROM connections
            WHERE half_close_ns > $threshold_s * 1000000000::BIGINT
            ORDER BY half_close_ns DESC, capture, conn_id
            LIMIT $rows
            """,
            Setting("threshold_s", 10, "how long a half-closed connection is nothing to speak of"),
        ),
        _q(
            "syn-retransmissions",
            "Services whose handshakes needed more than one SYN or SYN-ACK: loss on the way, or a full backlog",
            """
            SELECT server_ip, server_port, count(*) FILTER (syn_count > 1 OR syn_ack_count > 1) AS resent,
                count(*) AS connections, resent / count(*) AS share,
                sum(greatest(syn_count::BIGINT - 1, 0))::BIGINT AS more_syns,
                sum(greatest(syn_ack_count::BIGINT - 1, 0))::BIGINT AS more_syn_acks
            FROM connections
            GROUP BY server_ip, server_port
            HAVING resent > 0
            ORDER BY resent DESC, share DESC, server_ip, server_port
            LIMIT $rows
            """,
        ),
        _q(
            "rtt-by-prefix",
            "Networks (/24, /48) of servers by the round trip of their handshake, SYN to SYN-ACK at the capture point",
            """
            SELECT prefix(server_ip, server_addr) AS server_prefix, count(*) AS connections,
                min(syn_rtt_ns) AS least_ns, quantile_disc(syn_rtt_ns, 0.5) AS median_ns,
                quantile_disc(syn_rtt_ns, 0.95) AS p95_ns, max(syn_rtt_ns) AS most_ns
            FROM connections
            WHERE syn_rtt_ns IS NOT NULL
            GROUP BY server_prefix
            HAVING count(*) >= $least
            ORDER BY median_ns DESC, server_prefix
            LIMIT $rows
            """,
            Setting("least", 1, "the least connections of a network that say something"),
        ),
        _q(
            "teardown-shapes",
            "How connections end: each shape, who closed first, who sent the RST, and how many ended so",
            """
            SELECT teardown, closed_first, reset_by, count(*) AS connections,
                count(*) / (SELECT count(*) FROM connections) AS share
            FROM connections
            GROUP BY teardown, closed_first, reset_by
            ORDER BY count(*) DESC, teardown, closed_first, reset_by
            """,
        ),
        _q(
            "idle-connections",
            "Connections on which both sides paused for longer than the threshold: what a firewall may have forgotten",
            """
            SELECT capture, conn_id, client_ip, server_ip, server_port, duration_ns,
                least(c2s_idle_max_ns, s2c_idle_max_ns) AS idle_ns, teardown, reset_by
            FROM connections
            WHERE c2s_idle_max_ns IS NOT NULL AND s2c_idle_max_ns IS NOT NULL
                AND idle_ns > $threshold_s * 1000000000::BIGINT
            ORDER BY idle_ns DESC, capture, conn_id
            LIMIT $rows
            """,
            Setting("threshold_s", 60, "the longest pause that is nothing to speak of"),
        ),
        _q(
            "close-wait",
            "Services and clients whose program did not close: endpoints that stayed in CLOSE_WAIT longer than the "
            "threshold, or to the end of the capture",
            """
            WITH ends AS (
                SELECT coalesce("set", path) AS capture, max(last_time) AS last_time FROM captures GROUP BY ALL
            )
            SELECT s.capture, s.conn_id, s.endpoint, if(s.endpoint = 'client', c.client_ip, c.server_ip) AS host,
                c.server_port, s.entered_time, epoch_ns(coalesce(s.left_time, e.last_time)) - epoch_ns(s.entered_time)
                AS close_wait_ns, s.left_time IS NULL AS still
            FROM states s
            JOIN connections c ON c.capture = s.capture AND c.conn_id = s.conn_id
            JOIN ends e ON e.capture = s.capture
            WHERE s.state = 'CLOSE_WAIT' AND close_wait_ns > $threshold_s * 1000000000::BIGINT
            ORDER BY close_wait_ns DESC, s.capture, s.conn_id, s.endpoint
            LIMIT $rows
            """,
            Setting("threshold_s", 10, "how long a program may take to close"),
        ),
        _q(
            "findings",
            "Every kind of finding: on how many connections, of how many captures",
            """
            WITH found AS (SELECT capture, conn_id, unnest(findings) AS finding FROM connections)
            SELECT finding, count(*) AS connections, count(DISTINCT capture) AS captures
            FROM found
            GROUP BY finding
            ORDER BY count(*) DESC, finding
            """,
        ),
        _q(
            "capture-quality",
            "Captures that are not to be trusted blindly: damage, packets that were not used, octets that the capture "
            "misses, findings on the capture, bounds that were reached; the worst first",
            """
            WITH missed AS (
                SELECT capture,
                    sum(coalesce(c2s_missing_octets, 0) + coalesce(s2c_missing_octets, 0))::BIGINT AS missing_octets
                FROM connections GROUP BY capture
            )
            SELECT path, status, reason, packets_read, packets_read - packets_used AS packets_unused,
                coalesce(missing_octets, 0) AS missing_octets, findings, limits, notes
            FROM captures LEFT JOIN missed ON missed.capture = coalesce("set", path)
            WHERE status != 'ok' OR packets_unused > 0 OR missing_octets > 0 OR len(findings) > 0 OR len(limits) > 0
            ORDER BY status = 'ok', missing_octets DESC, packets_unused DESC, path
            LIMIT $rows
            """,
        ),
        _q(
            "clock-of-captures",
            "When each capture was made, and how long nothing had been captured before it (less than nothing: they "
            "overlap, or a clock is wrong)",
            """
            SELECT path, first_time, last_time, epoch_ns(last_time) - epoch_ns(first_time) AS span_ns,
                epoch_ns(first_time) - max(epoch_ns(last_time)) OVER (
                    ORDER BY first_time, path ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS gap_ns,
                list_has_any(findings, ['cap_ts_back']) AS runs_backwards
            FROM captures
            WHERE first_time IS NOT NULL
            ORDER BY first_time, path
            LIMIT $rows
            """,
        ),
    )
}


def question(name: str) -> Question:
    """The question of that name."""
    try:
        return QUESTIONS[name]
    except KeyError:
        raise UsageError(f"there is no question {name!r}; there are {', '.join(QUESTIONS)}") from None
