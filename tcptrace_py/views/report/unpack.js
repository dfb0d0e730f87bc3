// The way back from packing.py: a text to columns of numbers.

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const packed = atob(text), bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  return bytes;
}

async function inflated(text) {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function column(bytes, at, rows, planes) {
  const values = new Float64Array(rows);
  const plane = (number) => (number < planes ? bytes.subarray(at + number * rows, at + (number + 1) * rows) : null);
  const [ones, next, third] = [plane(0), plane(1), plane(2)];
  let value = 0;
  for (let i = 0; i < rows; i++) {
    let folded = ones ? ones[i] : 0; // whole numbers of three bytes are what nearly all are
    if (next) folded |= next[i] << 8;
    if (third) folded |= third[i] << 16;
    for (let number = 3, weight = 2 ** 24; number < planes; number++, weight *= 256) folded += bytes[at + number * rows + i] * weight;
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
      for (let i = 0, values = way[name]; i < values.length; i++) values[i] = (values[i] * held.unit) / 1e9;
    }
  }
  return ways;
}
