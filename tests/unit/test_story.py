"""The story of a connection: the facts that a textbook states, in every language; complete; no number of its own."""

import re
from pathlib import Path

import pytest
from hand_made import record, row

import tcptrace_py as tt
from scripts import messages
from tcptrace_py.views.ink import plain
from tcptrace_py.views.story.door import explained, sections
from tcptrace_py.views.story.introduction import introduction
from tcptrace_py.views.story.language import Language, languages
from tcptrace_py.views.story.page import columns, lines, wrapped
from tcptrace_py.views.story.said import Said
from tcptrace_py.views.story.shapes import CLOSING, OPENING, ROLES
from tcptrace_py.views.story.steps import SENTENCES
from tcptrace_py.views.story.telling import story
from tcptrace_py.vocabulary import Handshake, RolesFrom, Step, Teardown
from tests import seg
from tests.ladders import SCENARIOS, capture_of
from tests.stories import all_said, foreign_numbers, untold

FIXTURES = Path(__file__).parent.parent / "fixtures"
TUTORIAL = """\
IP 192.168.1.116.3337 > 192.168.1.123.7788: S 3626544836:3626544836
IP 192.168.1.123.7788 > 192.168.1.116.3337: S 1739326486:1739326486 ack 3626544837
IP 192.168.1.116.3337 > 192.168.1.123.7788: ack 1739326487,ack 1
"""


def told(conn, lang):
    """The paragraphs of a story, each with its mark, on one line."""
    language = Language(lang)
    return [
        " ".join(language.sentence(said) for said in (*([paragraph.mark] if paragraph.mark else []), *paragraph.said))
        for section in sections(conn)
        for paragraph in section.paragraphs
    ]


def step(conn, lang, mark):
    """The one paragraph that begins with a mark."""
    (found,) = (text for text in told(conn, lang) if text.startswith(mark))
    return found


# -- the facts of a textbook ------------------------------------------------------------------------------------------

INTRODUCTION = {
    "en": [
        "host-to-host transport", "reliably", "connection-oriented", "SYN opens", "ACK acknowledges", "PSH pushes",
        "FIN finishes", "RST resets", "URG marks urgent data", "sequence number", "acknowledgment number",
        "six flag bits",
    ],
    "zh": [
        "主机到主机的传输层协议", "可靠", "面向连接", "SYN 建立连接", "ACK 确认", "PSH 推送", "FIN 结束", "RST 重置",
        "URG 标记紧急数据",
        "一个序号", "一个确认号", "六个标志位",
    ],
}  # fmt: skip

HANDSHAKE = {
    ("en", "Step 1 ✓, frame 1"): [
        "The client 192.168.1.116 sends SYN with the sequence number 3626544836, which it has chosen itself (j).",
        "It asks the server 192.168.1.123 for a connection, and waits for the answer.",
        "The client is now in SYN_SENT (has sent a SYN and waits for",
    ],
    ("en", "Step 2 ✓, frame 2"): [
        "The server 192.168.1.123 answers with SYN and ACK in one segment;",
        "its own number, which it has chosen, is 1739326486 (k).",
        (
            "It acknowledges 3626544837, which is 3626544836 + 1: the number of the SYN of the client, and one more, "
            "because a SYN consumes one sequence number."
        ),
        "The server is in SYN_RCVD (has sent and received a SYN",
    ],
    ("en", "Step 3 ✓, frame 3"): [
        (
            "The client 192.168.1.116 checks the answer: the ACK flag is set, and 3626544837 is its own number "
            "3626544836 + 1."
        ),
        "So the client sends ACK 1739326487, which is 1739326486 + 1: the number of the SYN of the server, and one",
        "The server checks that in the same way; then the connection is established, and data may flow both ways.",
        "Both ends are now in ESTABLISHED.",
    ],
    ("zh", "第 1 步 ✓\uff0c帧 1"): [
        "客户端 192.168.1.116 发送 SYN\uff0c序号为 3626544836\uff0c这是它自己选择的\uff08j\uff09。",
        "请求与服务器 192.168.1.123 建立连接\uff0c并等待回答。",
        "客户端现在处于 SYN_SENT",
    ],
    ("zh", "第 2 步 ✓\uff0c帧 2"): [
        "服务器 192.168.1.123 用同一个报文段中的 SYN 加 ACK 回答",
        "它自己选择的序号是 1739326486\uff08k\uff09。",
        "它的确认号是 3626544837\uff0c即 3626544836 + 1\uff1a客户端的 SYN 的序号再加 1",
        "因为一个 SYN 消耗一个序号。",
        "服务器处于 SYN_RCVD",
    ],
    ("zh", "第 3 步 ✓\uff0c帧 3"): [
        "ACK 标志已置位\uff0c而且 3626544837 正是它自己的序号 3626544836 + 1。",
        "因此客户端发送 ACK\uff0c确认号为 1739326487\uff0c即 1739326486 + 1",
        "服务器以同样的方式检查\uff1b随后连接建立\uff0c双方可以开始传送数据。",
        "双方现在都处于 ESTABLISHED。",
    ],
}

CLOSE = {
    ("en", "Step 1 ✓, frame 8"): [
        "The client 10.9.0.1 has nothing more to send, and closes its direction with a FIN.",
        "The FIN has the sequence number 695411537 (u), one more than the last octet that the client has sent.",
        "A FIN consumes one sequence number, even if it carries no data.",
        "The client sends no data any more, but still receives them.",
        "The client is now in FIN_WAIT_1",
        "When it arrives, the server is in CLOSE_WAIT",
    ],
    ("en", "Step 2 ✓, frame 9"): [
        "The server 10.9.0.2 acknowledges the FIN of the client 10.9.0.1 at once.",
        "It acknowledges 695411538, which is 695411537 + 1",
        "Its own sequence number is 2650872669 (v), one more than the last octet that it has sent so far.",
        (
            "half-closed: the direction from the client is released, but the server may still send data, and the "
            "client must still receive them."
        ),
        "the client is in FIN_WAIT_2",
    ],
    ("en", "Step 3 ✓, frame 10"): [
        "The server 10.9.0.2 has nothing more to send either, and closes its direction with a FIN of its own.",
        "The FIN has the sequence number 2650872669 (w)",
        "The segment still acknowledges 695411538",
        "This is v again: the server has sent no data in between.",
        "The server is now in LAST_ACK",
    ],
    ("en", "Step 4 ✓, frame 11"): [
        "The client 10.9.0.1 must acknowledge the FIN of the server 10.9.0.2.",
        "It acknowledges 2650872670, which is 2650872669 + 1",
        "Its own sequence number is 695411538, which is 695411537 + 1.",
        "It is not closed with that: it waits for twice the longest life of a segment (2MSL) in TIME_WAIT",
        "only then is CLOSED.",
        "the server is in CLOSED",
    ],
    ("zh", "第 1 步 ✓\uff0c帧 8"): [
        "客户端 10.9.0.1 不再有数据要发送\uff0c用 FIN 关闭自己的方向。",
        "FIN 的序号是 695411537\uff08u\uff09\uff0c等于客户端已发送的最后一个字节的序号加 1。",
        "FIN 即使不带数据\uff0c也消耗一个序号。",
        "客户端不再发送数据\uff0c但仍然接收数据。",
        "客户端现在处于 FIN_WAIT_1",
    ],
    ("zh", "第 2 步 ✓\uff0c帧 9"): [
        "服务器 10.9.0.2 立即确认客户端 10.9.0.1 的 FIN。",
        "它的确认号是 695411538\uff0c即 695411537 + 1",
        "它自己的序号是 2650872669\uff08v\uff09\uff0c等于它到此为止发送的最后一个字节的序号加 1。",
        "半关闭状态\uff1a从客户端出发的方向已经释放\uff0c但服务器仍然可以发送数据\uff0c客户端仍然必须接收。",
    ],
    ("zh", "第 3 步 ✓\uff0c帧 10"): [
        "服务器 10.9.0.2 也不再有数据要发送\uff0c用自己的 FIN 关闭自己的方向。",
        "FIN 的序号是 2650872669\uff08w\uff09",
        "确认号仍然是 695411538",
        "它仍然等于 v",
    ],
    ("zh", "第 4 步 ✓\uff0c帧 11"): [
        "客户端 10.9.0.1 必须确认服务器 10.9.0.2 的 FIN。",
        "它的确认号是 2650872670\uff0c即 2650872669 + 1",
        "它自己的序号是 695411538\uff0c即 695411537 + 1。",
        "它并没有因此关闭\uff1a它在 TIME_WAIT 中等待报文段最长寿命的两倍\uff082MSL\uff09",
        "然后才进入 CLOSED。",
    ],
}


@pytest.mark.parametrize("lang", INTRODUCTION)
def test_what_tcp_is(lang):
    language = Language(lang)
    section = introduction("x.pcap", 1, 1)
    text = "".join(language.sentence(said) for paragraph in section.paragraphs for said in paragraph.said)
    assert [fact for fact in INTRODUCTION[lang] if fact not in text] == []


@pytest.mark.parametrize(("lang", "mark"), HANDSHAKE)
def test_a_textbook_s_handshake(lang, mark, tmp_path):
    (tmp_path / "tutorial.txt").write_text(TUTORIAL)
    text = step(tt.analyze(tmp_path / "tutorial.txt")[0], lang, mark)
    assert [fact for fact in HANDSHAKE[lang, mark] if fact not in text] == []


@pytest.mark.parametrize(("lang", "mark"), CLOSE)
def test_a_textbook_s_close(lang, mark):
    text = step(tt.analyze(FIXTURES / "four_way.pcap")[0], lang, mark)
    assert [fact for fact in CLOSE[lang, mark] if fact not in text] == []


def test_w_differs_from_v_where_data_were_sent_in_between():
    conn = tt.analyze(FIXTURES / "half_close.pcap")[0]
    assert (
        "Since its ACK with 2258320184 (v) the server has sent 30 octets, so that w differs from v; that took 109 ms."
    ) in step(conn, "en", "Step 3 ✓, frame 13")
    assert "2258320184\uff08v\uff09的 ACK 以来\uff0c服务器又发送了 30 字节\uff0c因此 w 与 v 不同" in step(
        conn, "zh", "第 3 步 ✓\uff0c帧 13"
    )


def test_every_shape_role_and_step_has_its_words():
    assert (set(OPENING), set(CLOSING), set(ROLES)) == (set(Handshake), set(Teardown), set(RolesFrom))
    assert set(SENTENCES) == {step.name for step in Step}


# -- every scenario ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """Every connection of every scenario, with its sections."""
    folder = tmp_path_factory.mktemp("stories")
    made = []
    for name in SCENARIOS:
        path, options = capture_of(name, folder)
        asked = {option.removeprefix("--"): True for option in options}
        made += [(name, conn, sections(conn)) for conn in tt.analyze(path, **asked)]
    return made


@pytest.mark.parametrize("lang", [lang for lang in languages() if lang != "en"])
def test_nothing_that_is_said_lacks_a_translation(stories, lang):
    known = messages.catalog(lang)
    lacking = {
        said.message
        for _, _, told_sections in stories
        for said in all_said(told_sections)
        if (f"{said.message}\0{said.plural}" if said.plural else said.message) not in known
    }
    assert lacking == set()


@pytest.mark.parametrize("lang", languages())
def test_no_placeholder_is_left(stories, lang):
    language = Language(lang)
    for name, _, told_sections in stories:
        for said in all_said(told_sections):
            assert not re.search(r"[{}\0]", language.sentence(said)), name


def test_chinese_has_no_english_words_but_terms_and_names(stories):
    allowed = {
        "ACK",
        "ACKs",
        "RTT",
        "IP",
        "Fast",
        "Open",
        "Eifel",
        "cookie",
        "PAWS",
        "MSL",
        "overlaps",
        "step",
        "ms",
        "us",
    }
    language = Language("zh")
    for name, conn, told_sections in stories:
        names = {word for value in conn.record.values() if isinstance(value, str) for word in re.findall(r"\w+", value)}
        names |= {word for finding in conn.record["findings"] for word in re.findall(r"\w+", finding)}
        for said in all_said(told_sections):
            words = set(re.findall(r"(?<![A-Za-z])[a-z][a-z_\d]{3,}", language.sentence(said))) - allowed - names
            assert words == set(), (name, language.sentence(said))


def test_every_number_is_a_column(stories):
    for name, conn, told_sections in stories:
        assert (name, foreign_numbers(conn, told_sections)) == (name, set())


TERMS = r"RFC \d+(?: (?:sections?|figure) [\d.]+)?|section [\d.]+|figure \d+|2MSL|[a-z]\+1|UTC|\{[^}]*\}"


def test_messages_have_no_numbers_of_their_own():
    own = [text for text, where in messages.messages().items() if where.endswith(".py")]
    allowed = {"+ 1", "step 2", "step 3", "Step 4", "(window 0)", "After 4294967295", "with 0"}
    found = {number for text in own for number in re.findall(r"\(?\S+ \d+\)?", re.sub(TERMS, "", text))}
    assert found - allowed == set()


def test_every_step_finding_and_change_of_a_state_is_told(stories):
    for name, conn, told_sections in stories:
        assert (name, untold(conn, told_sections)) == (name, set())


def test_a_wrong_answer_is_told_as_wrong(stories):
    (conn,) = (conn for name, conn, _ in stories if name == "open/syn_ack_of_a_listener_again")
    text = step(conn, "en", "Step 2 ✗, frame 2")
    assert "It acknowledges 1091, but it should be 1000 + 1, for the SYN of the client has the number 1000" in text
    assert "the client has to refuse it with a RST." in text


# -- around it --------------------------------------------------------------------------------------------------------


def test_what_is_sent_again_is_told_where_it_belongs(stories):
    (told_sections,) = (told_ for name, _, told_ in stories if name == "open/ack_of_handshake_lost")
    opening = next(section for section in told_sections if section.heading.message == "Opening")
    marks = [Language().sentence(paragraph.mark) for paragraph in opening.paragraphs if paragraph.mark]
    assert [mark.partition(" (")[0] for mark in marks] == [
        "Step 1 ✓, frame 1", "Step 2 ✓, frame 2", "Step 3 ✓, frame 3", "Step 2 ✓, frame 4", "Step 3 ✓, frame 5",
    ]  # fmt: skip


def test_of_very_many_steps_the_first_are_told():
    rows = [
        row(i, i, "s2c", "R", (i, None, 0), "UNKNOWN/UNKNOWN", steps=["reset"], steps_ok=[None]) for i in range(1, 1001)
    ]
    known = record(findings=[], handshake="not_seen", teardown="open", roles_from="port")
    (opening,) = (section for section in story(known, rows, [], []) if section.heading.message == "Opening")
    assert len(opening.paragraphs) == 1 + 40 + 1
    assert Language().sentence(opening.paragraphs[-1].said[0]) == "There are more, the last one on frame 1000."


def test_a_number_that_begins_anew_says_so(tmp_path):
    script = seg.parse((FIXTURES.parent / "scenarios/open/three_way.seg").read_text())
    conn = tt.analyze(seg.write(script, tmp_path / "wrap.pcap", isns=(2**32 - 1, 7000)))[0]
    text = step(conn, "en", "Step 2 ✓, frame 2")
    assert "It acknowledges 0, which is 4294967295 + 1" in text
    assert "After 4294967295 the numbers begin again with 0." in text


@pytest.mark.parametrize("lang", languages())
def test_hostile_names_are_shown_safely(lang):
    hostile = "\x1b[31m{evil}\u202e\0"
    rows = [row(1, 0, "c2s", "S", (0, None, 0), "SYN_SENT/LISTEN", steps=["handshake_1"], steps_ok=[True])]
    known = record(network=hostile, client_ip=hostile, findings=[], handshake="no_answer", teardown="open")
    told_sections = [introduction(hostile, 9, 1), *story(known, rows, [], [])]
    text = "\n".join(plain(line) for line in lines(told_sections, Language(lang), 200))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    assert text.count("\\x1b[31m{evil}\\u202e\\x00") >= 3


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_line_is_wider_than_the_terminal(lang, width):
    conn = tt.analyze(FIXTURES / "zero_window.pcap")[0]
    text = explained(conn, lang, width)
    assert max(map(columns, text.splitlines())) <= width
    assert not any(line.strip()[:1] in "\uff0c。\uff1b\uff1a" for line in text.splitlines() if line.strip())


def test_lines_are_broken_beside_wide_characters_and_not_within_words():
    assert list(wrapped("确认号是 12345\uff0c即", 10)) == ["确认号是", "12345\uff0c即"]
    assert list(wrapped("处于 TIME_WAIT\uff08等待", 14)) == ["处于 TIME_WAIT", "\uff08等待"]
    assert list(wrapped("one two three", 7)) == ["one two", "three"]


@pytest.mark.parametrize("lang", [lang for lang in languages() if lang != "en"])
def test_catalogs_are_complete(lang):
    assert list(messages.wrong(lang)) == []


def test_a_catalog_is_read_as_gettext_reads_it(tmp_path, monkeypatch):
    (tmp_path / "xx.po").write_text(
        """\
msgid ""
msgstr ""
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);\\n"
"Content-Type: text/plain; charset=UTF-8\\n"

# by hand
#: telling.py
msgid "the "
"client"
msgstr "der \\"Client\\""

msgid "{n:,} octet"
msgid_plural "{n:,} octets"
msgstr[0] "ein"
msgstr[1] "zwei"
msgstr[2] "{n:,} viele"

#, fuzzy
msgid "Opening"
msgstr "falsch"

msgid "Closing"
msgstr ""
"""
    )
    monkeypatch.setattr("tcptrace_py.views.story.language.FOLDER", tmp_path)
    language = Language("xx")
    assert language.words(Said("the client")) == 'der "Client"'
    assert [language.words(Said("{n:,} octet", {"n": n}, "{n:,} octets", n)) for n in (1, 2, 1000)] == [
        "ein", "zwei", "1,000 viele",
    ]  # fmt: skip
    assert [language.words(Said(text)) for text in ("Opening", "Closing")] == ["Opening", "Closing"]
