// The way back from packing.py: a text to columns of numbers.

async function inflated(text) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function column(bytes, at, rows, planes) {
  const values = new Float64Array(rows);
  let value = 0;
  for (let i = 0; i < rows; i++) {
    let folded = 0;
    for (let plane = planes - 1; plane >= 0; plane--) folded = folded * 256 + bytes[at + plane * rows + i];
    value += folded % 2 ? -(folded + 1) / 2 : folded / 2;
    values[i] = value;
  }
  return values;
}

// {way: {name: column}} of one connection; times in seconds since its first segment.
async function unpacked(held) {
  const bytes = await inflated(held.packed);
  const ways = { c2s: { segments: held.segments.c2s }, s2c: { segments: held.segments.s2c } };
  let at = 0;
  for (const [name, rows, planes] of held.columns) {
    const [way, what] = name.split(".");
    ways[way][what] = column(bytes, at, rows, planes);
    at += rows * planes;
  }
  for (const way of Object.values(ways)) {
    for (const name of ["time", "rtt_ns", "step"]) {
      if (way[name]) way[name] = way[name].map((value) => (value * held.unit) / 1e9);
    }
  }
  return ways;
}
