/** Size that a delta's result has, from its head (gitformat-pack): source size, then target size. */
export function deltaTargetSize(delta: Buffer): number {
  const source = readSize(delta, 0);
  return readSize(delta, source.next).value;
}

/** Applies a delta (gitformat-pack, «Deltified representation»); throws a plain Error where it does not fit its base. */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  const source = readSize(delta, 0);
  if (source.value !== base.length) throw new Error('delta is for another base');
  const target = readSize(delta, source.next);
  const result = Buffer.allocUnsafe(target.value);
  let at = target.next;
  let filled = 0;
  while (at < delta.length) {
    const instruction = delta[at] ?? 0;
    at += 1;
    if ((instruction & 0x80) === 0) {
      if (instruction === 0 || at + instruction > delta.length || filled + instruction > target.value)
        throw new Error('delta is damaged');
      delta.copy(result, filled, at, at + instruction);
      at += instruction;
      filled += instruction;
      continue;
    }
    let offset = 0;
    let size = 0;
    for (let bit = 0; bit < 4; bit += 1)
      if ((instruction & (1 << bit)) !== 0) offset += (delta[at++] ?? 0) * 256 ** bit;
    for (let bit = 0; bit < 3; bit += 1)
      if ((instruction & (0x10 << bit)) !== 0) size += (delta[at++] ?? 0) * 256 ** bit;
    if (size === 0) size = 0x10000;
    if (offset + size > base.length || filled + size > target.value) throw new Error('delta is damaged');
    base.copy(result, filled, offset, offset + size);
    filled += size;
  }
  if (filled !== target.value) throw new Error('delta is damaged');
  return result;
}

function readSize(delta: Buffer, at: number): { value: number; next: number } {
  let value = 0;
  let factor = 1;
  for (let next = at; next < at + 8; next += 1) {
    const byte = delta[next];
    if (byte === undefined) break;
    value += (byte & 0x7f) * factor;
    factor *= 128;
    if ((byte & 0x80) === 0) return { value, next: next + 1 };
  }
  throw new Error('delta is damaged');
}
