"""The report in a real browser: it answers to mouse and keys, asks for nothing, and can be read without scripts."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.conftest import NAMES, SCREENSHOTS

READY = ".graphs[data-ready]"
SHOWN = "table.connections tbody tr"


def drawn(tab, conn_id):
    """The graphs of a connection, once they are there."""
    graphs = tab.locator(f"#c{conn_id} .graphs[data-ready]")
    graphs.wait_for()
    return graphs


def span(graphs):
    return float(graphs.get_attribute("data-from")), float(graphs.get_attribute("data-to"))


def column(tab, place):
    """What one column is sorted by, row by row."""
    return tab.eval_on_selector_all(
        f"{SHOWN} td:nth-child({place})", "cells => cells.map(cell => cell.dataset.s ?? cell.textContent)"
    )


# -- every page ----------------------------------------------------------------------------------------------------


def test_it_opens_without_an_error_and_asks_for_nothing(report, opened):
    trace, page = report
    tab = opened(page)
    assert tab.title().endswith(": TCP report")
    assert tab.locator("h1").count() == 1
    assert tab.locator(SHOWN).count() == min(len(trace), 100)
    for section in tab.locator("details.connection").all()[:2]:
        section.evaluate("section => section.open = true")
        if section.locator(".graphs").count():
            section.locator(READY).wait_for()
    tab.wait_for_timeout(50)


def test_without_scripts_tables_and_ladders_are_there(report, opened):
    trace, page = report
    tab = opened(page, java_script_enabled=False)
    rows = tab.locator(SHOWN)
    assert rows.count() == len(trace)
    assert rows.first.is_visible()
    sections = tab.locator("details.connection")
    assert sections.count() >= 1
    sections.first.locator(":scope > summary").click()
    ladder = sections.first.locator(".ladder table").first
    assert ladder.is_visible()
    assert ladder.locator("td.tf-segment").count() >= 1


@pytest.mark.parametrize(
    ("name", "theme"), [*((name, "light") for name in NAMES), ("loss_bulk", "dark"), ("cut", "dark")]
)
def test_axe_finds_nothing_serious(name, theme, reports, opened, axe):
    tab = opened(reports[name][1], color_scheme=theme)
    for section in tab.locator("details.connection").all()[:1]:
        section.evaluate("section => section.open = true")
        if section.locator(".graphs").count():
            section.locator(READY).wait_for()
    for section in tab.locator("details.finding").all()[:3]:
        section.evaluate("section => section.open = true")
    tab.evaluate(axe)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
    told = [
        f"{violation['id']}: {violation['nodes'][0]['target']} {violation['nodes'][0]['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert told == []


@pytest.mark.parametrize("width", [1280, 480])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["loss_bulk", "many", "cut"])
def test_how_it_looks(name, width, theme, reports, opened):
    """For a person to look at; the page must not be wider than its window."""
    tab = opened(reports[name][1], viewport={"width": width, "height": 900}, color_scheme=theme)
    tab.locator("details.connection").first.evaluate("section => section.open = true")
    tab.locator(READY).first.wait_for()
    SCREENSHOTS.mkdir(exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"{name}-{theme}-{width}.png", full_page=True)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


# -- the table -----------------------------------------------------------------------------------------------------


def test_sorting_by_click_and_by_key(reports, opened):
    trace, page = reports["many"]
    tab = opened(page)
    heads = tab.locator("table.connections thead th")
    names = [name.strip() for name in heads.all_text_contents()]
    place = names.index("duration") + 1
    button = heads.nth(place - 1).locator("button")
    button.click()
    values = [int(value) for value in column(tab, place)]
    durations = sorted(trace.connections["duration_ns"].to_list())
    assert values == durations[:100]
    assert heads.nth(place - 1).get_attribute("aria-sort") == "ascending"
    button.focus()
    tab.keyboard.press("Enter")
    assert [int(value) for value in column(tab, place)] == durations[::-1][:100]
    assert heads.nth(place - 1).get_attribute("aria-sort") == "descending"


def test_what_is_not_known_is_sorted_last(reports, opened):
    trace, page = reports["many"]
    tab = opened(page)
    heads = tab.locator("table.connections thead th")
    place = [name.strip() for name in heads.all_text_contents()].index("RTT") + 1
    known = sorted(trace.connections["syn_rtt_ns"].dropna().to_list())
    for order in (known, known[::-1]):
        heads.nth(place - 1).locator("button").click()
        while tab.get_by_role("button", name="Next page").is_enabled():
            tab.get_by_role("button", name="Next page").click()
        last = column(tab, place)
        values = [int(value) for value in last if value]
        assert last[len(values) :] == [""] * (len(last) - len(values))
        assert values == order[len(order) - len(values) :] if values else True


def endpoint(ip, port):
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


@pytest.mark.parametrize("words", ["", "three_way 443", "retransmission", "10.0.0.1:", "no such thing"])
def test_filtering(words, reports, opened):
    trace, page = reports["many"]
    tab = opened(page)
    tab.get_by_role("searchbox").fill(words)
    rows = trace.connections
    texts = [
        " ".join(
            [
                endpoint(row.client_ip, row.client_port),
                endpoint(row.server_ip, row.server_port),
                row.handshake,
                row.teardown,
                *row.findings,
            ]
        )
        for row in rows.itertuples()
    ]
    wanted = sum(all(word in text for word in words.split()) for text in texts)
    told = tab.locator("form.filter output").text_content()
    if "443" not in words:  # digits of other columns match as well
        assert told.startswith(f"{wanted:,} of {len(trace):,} connections")
    assert tab.locator(SHOWN).count() == min(int(told.split()[0]), 100)
    assert int(told.split()[0]) >= wanted


def test_filtering_by_severity(reports, opened):
    trace, page = reports["many"]
    tab = opened(page)
    tab.get_by_label("Severity").select_option("warning and above")
    wanted = int(trace.connections["severity"].isin(["warning", "error"]).sum())
    assert tab.locator("form.filter output").text_content().startswith(f"{wanted} of ")


def test_pages(reports, opened):
    trace, page = reports["many"]
    assert len(trace) > 300
    tab = opened(page)
    seen = set(column(tab, 1))
    assert tab.get_by_role("button", name="Previous page").is_disabled()
    while tab.get_by_role("button", name="Next page").is_enabled():
        tab.get_by_role("button", name="Next page").click()
        seen |= set(column(tab, 1))
    assert seen == {str(conn_id) for conn_id in range(len(trace))}


# -- a connection --------------------------------------------------------------------------------------------------


def test_opening_by_click(reports, opened):
    _, page = reports["port_reuse"]
    tab = opened(page)
    assert tab.locator("details.connection[open]").count() == 0
    tab.locator(f"{SHOWN} a", has_text="2").click()
    drawn(tab, 2)
    assert tab.url.endswith("#c2")
    tab.locator(SHOWN).filter(has=tab.locator("a[href='#c1']")).locator("td").nth(4).click()
    drawn(tab, 1)
    assert tab.locator("details.connection[open]").count() == 2


def test_opening_by_key(reports, opened):
    _, page = reports["port_reuse"]
    tab = opened(page)
    tab.locator(f"{SHOWN} a[href='#c0']").focus()
    tab.keyboard.press("Enter")
    drawn(tab, 0)
    assert tab.evaluate("document.activeElement.closest('details').id") == "c0"
    tab.keyboard.press("Enter")  # the summary has the focus
    assert tab.locator("details.connection[open]").count() == 0


def test_links_to_parts_of_the_page(reports, opened):
    tab = opened(reports["many"][1])
    for name in ("findings", "connections", "states", "quality"):
        tab.locator(f"nav a[href='#{name}']").click()
        assert tab.url.endswith(f"#{name}")
        assert tab.locator(f"#h-{name}").evaluate("head => head.getBoundingClientRect().top") < 900


def test_opening_by_the_address(reports, opened):
    _, page = reports["port_reuse"]
    drawn(opened(page, fragment="#c1"), 1)


def test_graphs_zoom_together(reports, opened):
    _, page = reports["loss_bulk"]
    tab = opened(page)
    graphs = drawn(tab, 0)
    whole = span(graphs)
    graphs.get_by_role("button", name="Zoom in").click()
    half = span(graphs)
    assert half[1] - half[0] == pytest.approx((whole[1] - whole[0]) / 2)
    graphs.focus()
    for key, factor in (("+", 0.25), ("-", 0.5), ("ArrowRight", 0.5), ("ArrowLeft", 0.5)):
        tab.keyboard.press(key)
        assert span(graphs)[1] - span(graphs)[0] == pytest.approx((whole[1] - whole[0]) * factor), key
    assert span(graphs) == pytest.approx(half)
    tab.keyboard.press("0")
    assert span(graphs) == whole
    graphs.locator("figure").nth(1).scroll_into_view_if_needed()
    over = graphs.locator(".u-over").nth(1).bounding_box()
    tab.mouse.move(over["x"] + over["width"] * 0.25, over["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(over["x"] + over["width"] * 0.5, over["y"] + 42, steps=4)
    tab.mouse.up()
    dragged = span(graphs)
    assert dragged[1] - dragged[0] == pytest.approx((whole[1] - whole[0]) / 4, rel=0.02)
    labels = [
        canvas.evaluate("box => box.querySelector('canvas').toDataURL()")
        for canvas in graphs.locator("[role=img]").all()
    ]
    tab.mouse.dblclick(over["x"] + over["width"] / 2, over["y"] + 40)
    assert span(graphs) == whole
    tab.wait_for_timeout(50)
    after = [
        canvas.evaluate("box => box.querySelector('canvas').toDataURL()")
        for canvas in graphs.locator("[role=img]").all()
    ]
    assert all(one != other for one, other in zip(labels, after, strict=True))


def test_a_part_of_a_graph_is_hidden_by_click_and_by_key(reports, opened):
    tab = opened(reports["loss_bulk"][1])
    graphs = drawn(tab, 0)
    figure = graphs.locator("figure").first
    name = figure.get_by_role("button", name="edge of window")
    canvas = figure.locator("canvas")

    def look():
        tab.wait_for_timeout(60)
        return name.get_attribute("aria-pressed"), canvas.evaluate("canvas => canvas.toDataURL()")

    shown = look()
    name.click()
    hidden = look()
    name.focus()
    tab.keyboard.press("Enter")
    again = look()
    assert [shown[0], hidden[0], again[0]] == ["true", "false", "true"]
    assert shown[1] != hidden[1]
    tab.keyboard.press(" ")
    assert look()[0] == "false"


def test_the_wheel_zooms_with_control_only(reports, opened):
    tab = opened(reports["loss_bulk"][1])
    graphs = drawn(tab, 0)
    graphs.locator("figure").first.scroll_into_view_if_needed()
    over = graphs.locator(".u-over").first.bounding_box()
    tab.mouse.move(over["x"] + over["width"] / 2, over["y"] + 60)
    whole = span(graphs)
    tab.mouse.wheel(0, 1)
    tab.wait_for_timeout(300)  # a wheel that scrolls the page is one gesture for a while
    assert span(graphs) == whole
    tab.keyboard.down("Control")
    tab.mouse.wheel(0, -10)
    tab.wait_for_timeout(300)
    tab.keyboard.up("Control")
    assert span(graphs)[1] - span(graphs)[0] == pytest.approx(0.8 * (whole[1] - whole[0]))


def test_a_finding_leads_to_its_segment(reports, opened):
    trace, page = reports["loss_bulk"]
    tab = opened(page)
    event = trace.events[trace.events["code"] == "fast_retransmission"].iloc[-1]
    finding = tab.locator("details.finding", has=tab.locator("strong", has_text=re.compile("^fast_retransmission$")))
    finding.locator("summary").click()
    finding.locator(f"a[data-frame='{event.frame}']").click()
    graphs = drawn(tab, 0)
    since = (event.time - trace.timeline["time"].iloc[0]).total_seconds()
    begin, end = span(graphs)
    assert begin < since < end
    assert end - begin < 0.15
    rung = tab.locator("tr.meant")
    assert rung.locator("td").first.text_content() == str(event.frame)
    assert rung.is_visible()


@pytest.mark.parametrize(("way", "name"), [("s2c", "server"), ("c2s", "client")])
@pytest.mark.parametrize("capture", ["loss_bulk", "zero_window", "simultaneous_open", "ipv6"])
def test_graphs_show_the_columns_of_the_timeline(capture, way, name, reports, opened):
    """What each graph says of itself, against the table."""
    trace, page = reports[capture]
    tab = opened(page)
    graphs = drawn(tab, 0)
    graphs.get_by_role("radio", name=name).check()
    tab.locator(f"#c0 .graphs[data-ready='{way}']").wait_for()
    timeline = trace[0].timeline
    sent, answers = timeline[timeline["direction"] == way], timeline[timeline["direction"] != way]
    told = {
        figure.get_attribute("data-kind"): figure.locator("[role=img]").get_attribute("aria-label")
        for figure in graphs.locator("figure").all()
        if figure.locator("[role=img]").count()
    }
    assert counts(told["time-sequence"]).get("acknowledged", 0) == answers["rel_ack"].notna().sum()
    found = sent["anomalies"].map(list)
    octets = sent["payload_bytes"] + sent["flags"].str.count("[SF]")
    shown = sum(
        counts(told["time-sequence"]).get(kind, 0) for kind in ("segment", "sent again", "out of order", "copy")
    )
    assert shown == (octets > 0).sum()
    again = found.map(lambda names: "retransmission" in names and "duplicate_packet" not in names)
    assert counts(told["time-sequence"]).get("sent again", 0) == (again & (octets > 0)).sum()
    assert (
        counts(told.get("rtt", "")).get("round trip", 0)
        == (answers["rtt_ns"].notna() & ~answers["rtt_ambiguous"].fillna(False)).sum()
    )
    assert counts(told["in-flight"])["in flight"] == sent["in_flight"].notna().sum()
    assert counts(told["window"])["window"] == answers["window"].notna().sum()
    sizes = sent["payload_bytes"][sent["payload_bytes"] > 0]
    assert counts(told.get("segment-size", "")).get("payload", 0) == len(sizes)
    if len(sizes):
        assert f"to {spelled(sizes.max())}" in told["segment-size"]


def counts(told):
    """``segment: 12 values from ...`` as {segment: 12}."""
    return {
        name: int(number.replace(",", "")) for name, number in re.findall(r"[.;] ([\w ,]+?): ([\d,]+) values", told)
    }


def spelled(octets):
    return f"{octets} B" if octets < 1000 else f"{json.dumps(float(f'{octets / 1000:.4g}')).removesuffix('.0')} kB"


def test_colours_follow_the_theme_and_paper(reports, opened):
    tab = opened(reports["loss_bulk"][1], color_scheme="dark")
    graphs = drawn(tab, 0)
    marker = "figure .u-series:nth-child(2) .u-marker"

    def look():
        tab.wait_for_timeout(100)
        picture = graphs.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
        return picture, graphs.locator(marker).first.evaluate("marker => getComputedStyle(marker).backgroundColor")

    dark = look()
    tab.emulate_media(color_scheme="light")
    light = look()
    tab.emulate_media(color_scheme="dark", media="print")
    paper = look()
    assert dark[0] != light[0]
    assert dark[1] == "rgb(223, 227, 232)"
    assert light[1] == paper[1] == "rgb(36, 41, 47)"


# -- in a notebook -------------------------------------------------------------------------------------------------


def test_cells_of_a_notebook_draw_themselves(reports, opened, tmp_path):
    trace, _ = reports["loss_bulk"]
    cells = [trace[0].plot(), trace[0].plot("rtt", direction="c2s"), trace.plot(), trace.plot("shapes")]
    page = tmp_path / "notebook.html"
    page.write_text("<!DOCTYPE html><title>cells</title>" + "".join(cell._repr_html_() for cell in cells), "utf-8")
    tab = opened(page)
    for place, (kinds, way) in enumerate([(6, "s2c"), (1, "c2s")]):
        frame = tab.frame_locator("iframe").nth(place)
        frame.locator(f".graphs[data-ready='{way}']").wait_for()
        assert frame.locator("figure").count() == kinds
    assert tab.frame_locator("iframe").nth(2).locator("table.lanes tbody tr").count() == 8
    assert tab.frame_locator("iframe").nth(3).locator("svg.share").count() == 2
    for frame in tab.frames[1:]:
        assert frame.evaluate("document.documentElement.scrollHeight <= innerHeight + 1"), frame.title()
        assert frame.evaluate("self.origin") == "null"
