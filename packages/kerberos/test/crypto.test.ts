// The encryption types against the test vectors of their standards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decryptCts, encryptCts } from '../dist/crypto/aes-cts.js';
import { Key } from '../dist/crypto/key.js';
import { nFold } from '../dist/crypto/n-fold.js';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

test('n-fold, RFC 3961, A.1', () => {
  for (const [input, folded] of [
    ['012345', 'be072631276b1955'],
    ['password', '78a07b6caf85fa'],
    ['Rough Consensus, and Running Code', 'bb6ed30870b7f0e0'],
    ['password', '59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e'],
    ['MASSACHVSETTS INSTITVTE OF TECHNOLOGY', 'db3b0d8f0b061e603282b308a50841229ad798fab9540c1b'],
    ['Q', '518a54a2 15a8452a 518a54a2 15a8452a 518a54a2 15'],
    ['ba', 'fb25d531ae8974499f52fd92ea9857c4ba24cf297e'],
    ['kerberos', '6b65726265726f737b9b5b2b93132b935c9bdcdad95c9899c4cae4dee6d6cae4'],
  ] as const) {
    const expected = hex(folded);
    assert.deepEqual(nFold(Buffer.from(input), expected.length), expected, input);
  }
});

test('AES with ciphertext stealing, RFC 3962, B', () => {
  const key = Buffer.from('chicken teriyaki');
  const text = Buffer.from("I would like the General Gau's Chicken, please, and wonton soup.");
  for (const [length, cipher] of [
    [17, 'c6353568f2bf8cb4d8a580362da7ff7f97'],
    [31, 'fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5'],
    [32, '39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584'],
    [47, '97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5'],
    [
      64,
      '97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a84807efe836ee89a526730dbc2f7bc8409dad8bbb96c4cdc03bc103e1a194bbd8',
    ],
  ] as const) {
    const expected = hex(cipher);
    assert.deepEqual(encryptCts(key, text.subarray(0, length)), expected, `${length} bytes`);
    assert.deepEqual(decryptCts(key, expected), text.subarray(0, length), `${length} bytes`);
  }
});

test('aes128-cts-hmac-sha256-128 and aes256-cts-hmac-sha384-192, RFC 8009, A', () => {
  const key128 = new Key(19, hex('3705d96080c17728a0e800eab6e0d23c'));
  const key256 = new Key(20, hex('6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52'));
  for (const [key, confounder, plain, cipher] of [
    [
      key128,
      '7e5895eaf2672435bad817f545a37148',
      '',
      'ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718',
    ],
    [
      key128,
      '7bca285e2fd4130fb55b1a5c83bc5b24',
      '000102030405',
      '84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c',
    ],
    [
      key256,
      'f764e9fa15c276478b2c7d0c4e5f58e4',
      '',
      '41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c',
    ],
  ] as const) {
    assert.equal(key.enctype.encrypt(key.bytes, 2, hex(plain), hex(confounder)).toString('hex'), cipher);
    assert.equal(key.decrypt(2, hex(cipher)).toString('hex'), plain);
    const changed = hex(cipher);
    changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
    assert.throws(() => key.decrypt(2, changed), /not encrypted with this key/);
    assert.throws(() => key.decrypt(3, hex(cipher)), /not encrypted with this key/);
  }
  const text = hex('000102030405060708090a0b0c0d0e0f1011121314');
  assert.equal(key128.checksum(2, text).toString('hex'), 'd78367186643d67b411cba9139fc1dee');
  assert.equal(key256.checksum(2, text).toString('hex'), '45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a');
});
