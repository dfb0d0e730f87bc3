// What each graph of a connection shows, and how its marks are painted.  uPlot gives axes, zoom and cursor.

const COLOUR = {};

function colour(name) {
  const style = getComputedStyle(document.documentElement);
  return (COLOUR[name] ||= style.getPropertyValue(`--${name}`).trim());
}

// -- painting ---------------------------------------------------------------------------------------------------

// From values to pixels of the canvas, for what is visible now.
function view(u) {
  const { left, top, width, height } = u.bbox;
  const { x, y } = u.scales;
  const across = width / (x.max - x.min || 1), up = height / (y.max - y.min || 1);
  return {
    left, top, width, height, bottom: top + height, ratio: devicePixelRatio || 1,
    x: (value) => left + (value - x.min) * across,
    y: (value) => top + height - (value - y.min) * up,
  };
}

function visible(x, min, max) {
  return [Math.max(search(x, min) - 1, 0), Math.min(search(x, max) + 1, x.length - 1)];
}

function search(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The last place with a value at or before i.
function before(values, i) {
  while (i > 0 && Number.isNaN(values[i])) i--;
  return i;
}

// The first place with a value at or after i: a line goes on beyond the edge.
function after(values, i) {
  let at = i;
  while (at < values.length - 1 && Number.isNaN(values[at])) at++;
  return Number.isNaN(values[at]) ? i : at;
}

// Upright lines from `low` to `values`; those of one pixel that touch are one.
function bars(ctx, at, x, series, from, to) {
  const { values, low } = series, thick = Math.max(1, at.ratio);
  let pixel = NaN, bottom = 0, top = 0, drawn = 0;
  const put = () => {
    if (Number.isNaN(pixel)) return;
    const y = at.y(top);
    ctx.fillRect(pixel, y, thick, Math.max(at.y(bottom) - y, thick));
  };
  for (let i = from; i <= to; i++) {
    if (Number.isNaN(values[i])) continue;
    drawn++;
    const here = Math.round(at.x(x[i]) - thick / 2);
    if (here === pixel && low[i] <= top && values[i] >= bottom) {
      bottom = Math.min(bottom, low[i]);
      top = Math.max(top, values[i]);
    } else {
      put();
      [pixel, bottom, top] = [here, low[i], values[i]];
    }
  }
  put();
  if (drawn > 250) return;
  ctx.font = `${11 * at.ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (let i = from; i <= to; i++) {
    if (Number.isNaN(values[i])) continue;
    const px = at.x(x[i]), size = 3 * at.ratio;
    arrow(ctx, px, at.y(values[i]), size);
    arrow(ctx, px, at.y(low[i]), -size);
    if (series.letter) ctx.fillText(series.letter, px, at.y(values[i]) - 2 * size);
  }
}

function arrow(ctx, x, y, size) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(x - Math.abs(size), y + size);
  ctx.lineTo(x + Math.abs(size), y + size);
  ctx.fill();
}

// A line through the points of each pixel column: straight, or along and then up.
function path(ctx, at, x, values, from, to, stepped) {
  [from, to] = [before(values, from), after(values, to)];
  ctx.lineWidth = 1.5 * at.ratio;
  ctx.beginPath();
  let pixel = NaN, least = 0, most = 0, last = NaN;
  const put = () => {
    ctx.lineTo(pixel, least);
    ctx.lineTo(pixel, most);
    ctx.lineTo(pixel, last);
  };
  for (let i = from; i <= to; i++) {
    if (Number.isNaN(values[i])) continue;
    const here = Math.round(at.x(x[i])), y = at.y(values[i]);
    if (here === pixel) {
      least = Math.min(least, y);
      most = Math.max(most, y);
    } else {
      if (Number.isNaN(pixel)) ctx.moveTo(here, y);
      else put();
      if (stepped && !Number.isNaN(last)) ctx.lineTo(here, last);
      [pixel, least, most] = [here, y, y];
    }
    last = y;
  }
  if (!Number.isNaN(pixel)) put();
  ctx.stroke();
}

const line = (ctx, at, x, series, from, to) => path(ctx, at, x, series.values, from, to, false);
const steps = (ctx, at, x, series, from, to) => path(ctx, at, x, series.values, from, to, true);

// A dot a value; where many fall on one pixel it is painted once.
function dots(ctx, at, x, series, from, to) {
  const size = Math.max(2, Math.round((to - from > 2000 ? 1.5 : 3) * at.ratio));
  const wide = Math.ceil(at.width) + 1, taken = new Uint8Array(wide * (Math.ceil(at.height) + 1));
  for (let i = from; i <= to; i++) {
    const value = series.values[i];
    if (Number.isNaN(value)) continue;
    const px = Math.round(at.x(x[i]) - at.left), py = Math.round(at.y(value) - at.top);
    if (px < 0 || py < 0 || px >= wide || py > at.height) continue;
    if (taken[py * wide + px]) continue;
    taken[py * wide + px] = 1;
    ctx.fillRect(at.left + px - size / 2, at.top + py - size / 2, size, size);
  }
}

// Short ticks below the value, or letters while there is room for them.
function ticks(ctx, at, x, series, from, to) {
  let drawn = 0;
  for (let i = from; i <= to; i++) drawn += !Number.isNaN(series.values[i]);
  ctx.font = `bold ${11 * at.ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (let i = from; i <= to; i++) {
    if (Number.isNaN(series.values[i])) continue;
    const px = Math.round(at.x(x[i])), py = at.y(series.values[i]);
    if (series.letter && drawn < 250) ctx.fillText(series.letter, px, py + 12 * at.ratio);
    else ctx.fillRect(px, py, Math.max(1, at.ratio), 6 * at.ratio);
  }
}

// Columns from 0 to the value, as wide as a step.
function columns(ctx, at, x, series, from, to) {
  for (let i = from; i <= to; i++) {
    const left = at.x(x[i]), y = at.y(series.values[i]);
    ctx.globalAlpha = 0.45;
    ctx.fillRect(left, y, Math.max(at.x(x[i] + series.step) - left, 1), at.bottom - y);
  }
  ctx.globalAlpha = 1;
}

// -- what is shown ----------------------------------------------------------------------------------------------

const empty = (size) => new Float64Array(size).fill(NaN);

// The rows in which a column is known (and `keep` says so), as columns of their own.
function picked(way, held, column, keep = () => true) {
  const bit = 1 << held.known.indexOf(column), rows = new Uint32Array(way.time.length);
  let size = 0;
  for (let i = 0; i < way.time.length; i++) if (way.known[i] & bit && keep(i)) rows[size++] = i;
  const of = (values) => {
    const some = new Float64Array(size);
    for (let i = 0; i < size; i++) some[i] = values[rows[i]];
    return some;
  };
  return { x: of(way.time), y: of(way[column]), frame: of(way.frame), marks: of(way.marks) };
}

// Both directions in one order of time: what the sender sent upright, what the peer answered as lines.
function timeSequence(sent, answers, held) {
  const bit = (name) => 1 << held.marks.indexOf(name), known = (name) => 1 << held.known.indexOf(name);
  const [syn, fin, copy, again, late] = ["SYN", "FIN", "duplicate_packet", "retransmission", "out_of_order"].map(bit);
  const [repeated, closed] = ["duplicate_ack", "zero_window"].map(bit);
  const [numbered, acked, windowed] = ["rel_seq", "rel_ack", "window"].map(known);
  const rows = sent.time.length + answers.time.length;
  const x = new Float64Array(rows), frame = new Float64Array(rows), low = empty(rows), sack = [];
  const values = {};
  const put = (kind, at, value) => ((values[kind] ||= empty(rows))[at] = value);
  const segment = (at, i) => {
    const marks = sent.marks[i], first = sent.rel_seq[i];
    const end = first + sent.payload_bytes[i] + (marks & syn ? 1 : 0) + (marks & fin ? 1 : 0);
    if (end === first) return;
    low[at] = first;
    put(marks & copy ? "copy" : marks & again ? "sent again" : marks & late ? "out of order" : "segment", at, end);
  };
  const answer = (at, i) => {
    const ack = answers.rel_ack[i], marks = answers.marks[i];
    put("acknowledged", at, ack);
    if (answers.known[i] & windowed) put("edge of window", at, ack + answers.window[i]);
    if (marks & repeated) put("duplicate ACK", at, ack);
    if (marks & closed) put("window of 0", at, ack);
  };
  for (let i = 0, j = 0, block = 0, at = 0; at < rows; at++) {
    if (j >= answers.time.length || (i < sent.time.length && sent.time[i] <= answers.time[j])) {
      x[at] = sent.time[i];
      frame[at] = sent.frame[i];
      if (sent.known[i] & numbered) segment(at, i);
      i++;
    } else {
      x[at] = answers.time[j];
      frame[at] = answers.frame[j];
      if (answers.known[j] & acked) answer(at, j);
      for (; answers.sack_row[block] === j; block++) sack.push([at, answers.sack_left[block], answers.sack_right[block]]);
      j++;
    }
  }
  const bottoms = sack.length ? empty(rows) : null;
  for (const [at, left, right] of sack) {
    put("SACK", at, Math.max(right, values.SACK && values.SACK[at] > right ? values.SACK[at] : right));
    bottoms[at] = bottoms[at] < left ? bottoms[at] : left;
  }
  const series = [
    { label: "segment", low, paint: bars, colour: "segment" },
    { label: "sent again", low, paint: bars, colour: "resent", letter: "R" },
    { label: "out of order", low, paint: bars, colour: "late", letter: "O" },
    { label: "copy", low, paint: bars, colour: "copied", letter: "D" },
    { label: "acknowledged", paint: steps, colour: "acked" },
    { label: "edge of window", paint: steps, colour: "window" },
    { label: "duplicate ACK", paint: ticks, colour: "acked" },
    { label: "window of 0", paint: ticks, colour: "resent", letter: "Z" },
    { label: "SACK", low: bottoms, blocks: sack, paint: sacked, colour: "sacked" },
  ].filter(({ label }) => values[label]);
  for (const one of series) one.values = values[one.label];
  const edge = series.find(({ label }) => label === "edge of window");
  if (edge) edge.aside = greatest([edge.values]) > 2 * greatest(series.filter((one) => one !== edge).map((one) => one.values));
  return { x, frame, series };
}

function sacked(ctx, at, x, series, from, to) {
  for (const [row, left, right] of series.blocks) {
    if (row < from || row > to) continue;
    const y = at.y(right);
    ctx.fillRect(Math.round(at.x(x[row])), y, Math.max(1.5, 1.5 * at.ratio), Math.max(at.y(left) - y, 1));
  }
}

function greatest(arrays) {
  let most = -Infinity;
  for (const values of arrays) for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  return most;
}

function throughput(sent) {
  const step = sent.step[0] || 0, x = new Float64Array(sent.octets.length);
  for (let i = 0; i < x.length; i++) x[i] = i * step;
  const rate = (octets) => Float64Array.from(octets, (value) => value / step);
  return {
    x,
    series: [
      { label: `sent, in steps of ${seconds(step)}`, values: rate(sent.octets), paint: columns, step, colour: "segment" },
      { label: "acknowledged", values: rate(sent.acked_octets), paint: steps, colour: "acked" },
    ],
  };
}

function roundTrips(sent, answers, held) {
  const { x, y, frame, marks } = picked(answers, held, "rtt_ns");
  const bit = 1 << held.marks.indexOf("rtt_ambiguous");
  const split = (ambiguous) => y.map((value, i) => (!!(marks[i] & bit) === ambiguous ? value : NaN));
  const series = [{ label: "round trip", values: split(false), paint: dots, colour: "acked" }];
  if (marks.some((mark) => mark & bit)) series.push({ label: "ambiguous", values: split(true), paint: dots, colour: "resent" });
  return { x, frame, series };
}

function oneOf(column, label, which, paint, name, keep) {
  return (sent, answers, held) => {
    const way = which === "sent" ? sent : answers;
    const { x, y, frame } = picked(way, held, column, keep && ((i) => keep(way, i)));
    return { x, frame, series: [{ label, values: y, paint, colour: name }] };
  };
}

const octets = (value) => {
  const size = Math.abs(value);
  for (const [unit, scale] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (size >= scale) return `${round(value / scale)} ${unit}`;
  return `${round(value)} B`;
};
const round = (value) => String(+value.toPrecision(4));
const number = (value) => Math.round(value).toLocaleString("en");
function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  for (const [unit, scale] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]]) if (size >= scale) return `${round(value / scale)} ${unit}`;
  return `${round(value * 1e9)} ns`;
}

const GRAPHS = {
  "time-sequence": { title: "Time sequence", unit: "sequence number", of: timeSequence, format: number, height: 340, anywhere: true },
  throughput: { title: "Throughput", unit: "octets a second", of: throughput, format: (value) => `${octets(value)}/s` },
  rtt: { title: "Round-trip time", unit: "at the ACK that gave it", of: roundTrips, format: seconds },
  "in-flight": { title: "Octets in flight", unit: "after each segment", of: oneOf("in_flight", "in flight", "sent", steps, "segment"), format: octets },
  window: { title: "Window offered by the peer", unit: "octets", of: oneOf("window", "window", "answers", steps, "window"), format: octets },
  "segment-size": { title: "Segment size", unit: "octets of payload", of: oneOf("payload_bytes", "payload", "sent", dots, "segment", (way, i) => way.payload_bytes[i] > 0), format: octets },
};

// -- a graph ----------------------------------------------------------------------------------------------------

function nearest(u, values, at) {
  for (let away = 0; away < 2000; away++) {
    if (!Number.isNaN(values[at - away] ?? NaN)) return at - away;
    if (!Number.isNaN(values[at + away] ?? NaN)) return at + away;
  }
  return at;
}

function plot(graph, shown, group, box) {
  const [least, most] = heights(null, shown, graph, ...group.now);
  const axis = { stroke: () => colour("ink"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { stroke: () => colour("grid"), width: 1 } };
  const readout = (format) => (u, value) => (value == null || Number.isNaN(value) ? "–" : format(value));
  const where = (u, value, series, at) => (at == null || Number.isNaN(value) ? "–" : `${value.toFixed(6)} s` + (shown.frame ? `, frame ${shown.frame[at]}` : ""));
  const options = {
    width: box.clientWidth || 800,
    height: graph.height || 170,
    scales: {
      x: { time: false, range: (u, min, max) => (u.status ? [min, max] : group.now) }, // at first what the others show
      y: { auto: false, min: least, max: most, range: (u, min, max) => [min, max] },
    },
    axes: [
      { ...axis, values: (u, splits) => splits.map((value) => `${+value.toPrecision(9)} s`) },
      { ...axis, size: 84, space: 24, values: (u, splits) => splits.map(graph.format) },
    ],
    series: [
      { label: "time", value: where },
      ...shown.series.map((series) => ({
        label: series.label, stroke: () => colour(series.colour), fill: () => colour(series.colour), width: 1,
        paths: () => null, points: { show: false }, value: readout(graph.format),
      })),
    ],
    cursor: {
      sync: { key: group.name, scales: ["x", null] }, points: { show: false }, drag: { x: true, y: false },
      dataIdx: (u, series, at) => (series ? nearest(u, u.data[series], at) : at),
    },
    legend: { live: true },
    hooks: {
      draw: [(u) => paint(u, shown, group.found)],
      setScale: [(u, key) => key === "x" && group.follow(u)],
      setSeries: [(u, at, change) => change.show !== undefined && group.show(...group.now)],
    },
  };
  return new uPlot(options, [shown.x, ...shown.series.map((series) => series.values)], box);
}

// The least and the greatest value between two times, with some room; an edge of a window far above is no reason for it.
function heights(u, shown, graph, from, to) {
  const [first, last] = visible(shown.x, from, to);
  let least = Infinity, most = -Infinity;
  shown.series.forEach(({ values, low, aside }, i) => {
    if (aside || (u && !u.series[i + 1].show)) return;
    for (let at = first; at <= last; at++) {
      const value = values[at];
      if (Number.isNaN(value)) continue;
      if (value > most) most = value;
      const bottom = low ? low[at] : value;
      if (bottom < least) least = bottom;
    }
  });
  if (most < least) return [0, 1];
  if (!graph.anywhere) least = Math.min(least, 0);
  const room = (most - least || 1) * 0.06;
  return [least && least - room, most + room];
}

function paint(u, shown, found) {
  const { ctx } = u, at = view(u);
  const [from, to] = visible(shown.x, u.scales.x.min, u.scales.x.max);
  ctx.save();
  ctx.beginPath();
  ctx.rect(at.left, at.top, at.width, at.height);
  ctx.clip();
  shown.series.forEach((series, i) => {
    if (!u.series[i + 1].show) return;
    ctx.fillStyle = ctx.strokeStyle = colour(series.colour);
    series.paint(ctx, at, shown.x, series, from, to);
  });
  if (found !== undefined) {
    ctx.globalAlpha = 0.35;
    ctx.fillStyle = colour("link");
    ctx.fillRect(at.x(found) - at.ratio, at.top, 2 * at.ratio, at.height);
  }
  ctx.restore();
}
