// What the checks stand on: SHA-256, Ed25519 (RFC 8032), the Merkle tree (RFC 6962), signed notes. As verify.py has them.
"use strict";

class Unreadable extends Error {}

const utf8 = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (one, two) => one.length === two.length && one.every((byte, at) => byte === two[at]);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

function fromBase64(value, what) {
  if (typeof value !== "string" || value.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw new Unreadable(`There is ${what} that is not base64.`);
  return Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
}

function readObject(source, what) {
  let found;
  try {
    found = JSON.parse(typeof source === "string" ? source : text(source));
  } catch {
    throw new Unreadable(`${what} is not JSON.`);
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) throw new Unreadable(`${what} is not a JSON object.`);
  return found;
}

function readCount(value, what) {
  if (!Number.isSafeInteger(value) || value < 0) throw new Unreadable(`${what} is not a count.`);
  return value;
}

// ---- SHA-256 (FIPS 180-4), here because entries are too many to wait for the browser's own ----
const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) >>> 0;
const K = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const H = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

function sha256(...parts) {
  const data = parts.length === 1 ? parts[0] : joined(...parts);
  const padded = new Uint8Array((((data.length + 8) >> 6) + 1) << 6);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, data.length << 3);
  const state = Uint32Array.from(H), w = new Uint32Array(64);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

const leafHash = (leaf) => sha256(joined(Uint8Array.of(0), leaf));
const nodeHash = (left, right) => sha256(joined(Uint8Array.of(1), left, right));

// ---- Ed25519, RFC 8032 section 5.1.7, without the cofactor ----
const P = 2n ** 255n - 19n, ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (value, by = P) => ((value % by) + by) % by;
function power(base, exponent) {
  let found = 1n;
  for (base = mod(base); exponent; exponent >>= 1n, base = (base * base) % P) if (exponent & 1n) found = (found * base) % P;
  return found;
}
const D = mod(-121665n * power(121666n, P - 2n));
const NEUTRAL = [0n, 1n, 1n, 0n];
const little = (bytes) => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2)), b = mod((y1 + x1) * (y2 + x2)), c = mod(2n * t1 * t2 * D), d = mod(2n * z1 * z2);
  const e = b - a, f = d - c, g = d + c, h = b + a;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function decodePoint(bytes) {
  const value = little(bytes), sign = value >> 255n, y = value & (2n ** 255n - 1n);
  if (y >= P) return null;
  const square = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x - square)) x = mod(x * power(2n, (P - 1n) / 4n));
  if (mod(x * x - square) || (x === 0n && sign)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

const bytesOf = (value) => Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
const BASE = decodePoint(bytesOf(mod(4n * power(5n, P - 2n))));

async function ed25519Verifies(key, message, signature) {
  const point = key.length === 32 ? decodePoint(key) : null;
  if (!point || signature.length !== 64) return false;
  const s = little(signature.slice(32));
  if (s >= ORDER) return false;
  const digest = await crypto.subtle.digest("SHA-512", joined(signature.slice(0, 32), key, message));
  const k = mod(little(new Uint8Array(digest)), ORDER);
  const minus = [P - point[0], point[1], 1n, P - point[3]], table = [NEUTRAL, BASE, minus, add(BASE, minus)];
  let found = NEUTRAL;
  for (let bit = 255n; bit >= 0n; bit--) {
    found = add(found, found);
    const step = Number(((s >> bit) & 1n) | (((k >> bit) & 1n) << 1n));
    if (step) found = add(found, table[step]);
  }
  const inverse = power(found[2], P - 2n), x = mod(found[0] * inverse), y = mod(found[1] * inverse);
  return same(bytesOf(y | ((x & 1n) << 255n)), signature.slice(0, 32));
}

// ---- RFC 6962 section 2.1 ----
class Tree {
  constructor() {
    this.stack = [];
    this.size = 0;
  }
  push(height, node) {
    this.size += 2 ** height;
    for (; this.stack.length && this.stack.at(-1)[0] === height; height++) node = nodeHash(this.stack.pop()[1], node);
    this.stack.push([height, node]);
  }
  root() {
    if (!this.stack.length) return sha256(new Uint8Array());
    return this.stack.slice(0, -1).reduceRight((node, [, left]) => nodeHash(left, node), this.stack.at(-1)[1]);
  }
}

function heights(begin, end) {
  const found = [];
  while (begin < end) {
    let height = 0;
    while (begin % 2 ** (height + 1) === 0 && begin + 2 ** (height + 1) <= end) height++;
    found.push(height);
    begin += 2 ** height;
  }
  return found;
}

function rootByPath(index, size, leaf, path) {
  if (!(index < size) || path.some((part) => part.length !== 32)) throw new Unreadable("A path through the tree is malformed.");
  const half = (value) => Math.floor(value / 2);
  let node = index, last = size - 1;
  for (const part of path) {
    if (!last) throw new Unreadable("A path through the tree is too long.");
    const fromLeft = node % 2 === 1 || node === last;
    leaf = fromLeft ? nodeHash(part, leaf) : nodeHash(leaf, part);
    while (fromLeft && node % 2 === 0 && node) [node, last] = [half(node), half(last)];
    [node, last] = [half(node), half(last)];
  }
  if (last) throw new Unreadable("A path through the tree is too short.");
  return leaf;
}

// ---- signed notes (C2SP); keys are a map from "name id" to the public key ----
const LOG = 1, WITNESS = 4; // what kind of signature a verifier key is for

function readKey(line, kind = LOG) {
  const parts = line.trim().split("+"), name = parts[0], stated = parts[1], data = fromBase64(parts.slice(2).join("+"), "a key");
  const id = hex(sha256(utf8(`${name}\n`), data).slice(0, 4));
  if (data.length !== 33 || data[0] !== kind || id !== stated) throw new Unreadable("A verifier key is malformed.");
  return [`${name} ${id}`, data.slice(1)];
}

async function verifiedText(note, keys) {
  const at = note.lastIndexOf("\n\n"), body = at < 0 ? "\n" : note.slice(0, at + 1);
  let held = false;
  if (at < 0 || !note.endsWith("\n")) throw new Unreadable("it is not a signed note");
  for (const line of note.slice(at + 2, -1).split("\n")) {
    const found = /^— (\S+) (\S+)$/.exec(line);
    if (!found) throw new Unreadable("a line of its signatures is malformed");
    const data = fromBase64(found[2], "a signature"), key = keys.get(`${found[1]} ${hex(data.slice(0, 4))}`);
    if (!key) continue;
    if (!(await ed25519Verifies(key, utf8(body), data.slice(4)))) throw new Unreadable("the signature does not hold");
    held = true;
  }
  if (!held) throw new Unreadable("it has no signature by a known key");
  return body;
}

async function openNote(note, keys) {
  const lines = (await verifiedText(note, keys)).split("\n");
  if (lines.length < 4 || !/^(0|[1-9]\d{0,15})$/.test(lines[1])) throw new Unreadable("it is not a checkpoint");
  return { origin: lines[0], size: Number(lines[1]), root: fromBase64(lines[2], "a root") };
}
