// Decrypts RC2 in CBC mode: broken, and gone from OpenSSL, but what Java 8 and older openssl protect the certificates of a PKCS #12
// file with. It keeps nothing secret here: certificates are public. Source: RFC 2268.

const PI = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb6266fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
);
const BLOCK = 8;

/** @param key of 1 to 128 bytes, all of whose bits count; the padding is left on */
export function decryptRc2Cbc(key: Buffer, iv: Buffer, encrypted: Buffer): Buffer {
  if (encrypted.length % BLOCK !== 0) throw new RangeError('what RC2 encrypted has blocks of 8 bytes');
  const words = expand(key);
  const out = Buffer.alloc(encrypted.length);
  let previous = iv;
  for (let at = 0; at < encrypted.length; at += BLOCK) {
    const block = encrypted.subarray(at, at + BLOCK);
    decryptBlock(words, block, out.subarray(at, at + BLOCK));
    for (let i = 0; i < BLOCK; i++) out[at + i] = (out[at + i] as number) ^ (previous[i] as number);
    previous = block;
  }
  return out;
}

function expand(key: Buffer): Uint16Array {
  const pi = (i: number): number => PI[i & 0xff] as number;
  const bytes = Buffer.alloc(128);
  key.copy(bytes);
  const at = (i: number): number => bytes[i] as number;
  for (let i = key.length; i < 128; i++) bytes[i] = pi(at(i - 1) + at(i - key.length));
  bytes[128 - key.length] = pi(at(128 - key.length));
  for (let i = 127 - key.length; i >= 0; i--) bytes[i] = pi(at(i + 1) ^ at(i + key.length));
  return Uint16Array.from({ length: 64 }, (_, i) => bytes.readUInt16LE(2 * i));
}

const ROTATIONS = [1, 2, 3, 5];

function decryptBlock(words: Uint16Array, block: Buffer, out: Buffer): void {
  const r = [0, 2, 4, 6].map((at) => block.readUInt16LE(at));
  const word = (i: number): number => r[i & 3] as number;
  let j = 63;
  const unmix = (): void => {
    for (let i = 3; i >= 0; i--) {
      const by = ROTATIONS[i] as number;
      const rotated = ((word(i) >>> by) | (word(i) << (16 - by))) & 0xffff;
      const mixed = (words[j--] as number) + (word(i + 3) & word(i + 2)) + (~word(i + 3) & word(i + 1));
      r[i] = (rotated - mixed) & 0xffff;
    }
  };
  const unmash = (): void => {
    for (let i = 3; i >= 0; i--) r[i] = (word(i) - (words[word(i + 3) & 63] as number)) & 0xffff;
  };
  for (const rounds of [5, 6, 5]) {
    if (j < 63) unmash();
    for (let n = 0; n < rounds; n++) unmix();
  }
  for (const [i, value] of r.entries()) out.writeUInt16LE(value, 2 * i);
}
