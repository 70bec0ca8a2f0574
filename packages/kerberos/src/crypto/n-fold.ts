// Stretches bytes to a length so that every bit of them counts. Source: RFC 3961, section 5.1.

/** The result has `length` bytes. */
export function nFold(input: Buffer, length: number): Buffer {
  const total = leastCommonMultiple(input.length, length);
  const bits = input.length * 8;
  const sum = new Array<number>(length).fill(0);
  // Copies of the input, each rotated right by 13 bits more than the one before, are cut into pieces and added.
  for (let i = 0; i < total; i++) {
    const rotation = 13 * Math.floor(i / input.length);
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) {
      const from = (((((i % input.length) * 8 + bit - rotation) % bits) + bits) % bits) | 0;
      byte = (byte << 1) | (((input[from >> 3] as number) >> (7 - (from & 7))) & 1);
    }
    sum[i % length] = (sum[i % length] as number) + byte;
  }
  // One's complement: what is carried out on the left is added on the right.
  let carry = 0;
  do {
    for (let i = length - 1; i >= 0; i--) {
      const value = (sum[i] as number) + carry;
      sum[i] = value & 0xff;
      carry = value >> 8;
    }
  } while (carry > 0);
  return Buffer.from(sum);
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a * b) / x;
}
