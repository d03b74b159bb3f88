// The package: a ZIP whose files are read as streams, and which key signs the log at which size. As verify.py has them.
"use strict";

const FORMAT = "narrowgate-evidence-1";
const NEEDED = ["checkpoints.ndjson", "entries.ndjson", "keys.txt", "manifest.json"];
const EXTRAS = ["README.txt", "verify.py", "verify.html", "checkpoint.txt", "handovers.ndjson", "names.ndjson", "witnesses.txt", "report.json"];
const STAMP = /^stamps\/[1-9][0-9]{0,18}\.(tsr|txt)$/;
const LONGEST_LINE = 2 ** 20;
const HANDOVER = "ledger_key:changed", HANDOVER_TITLE = "narrowgate ledger key";

class Zip {
  static async open(file) {
    const zip = new Zip();
    zip.file = file;
    const tail = await zip.view(Math.max(0, file.size - 66000), file.size);
    let end = tail.byteLength - 22;
    while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) throw new Unreadable("The package is damaged (it is no whole ZIP file).");
    let count = tail.getUint16(end + 10, true), size = tail.getUint32(end + 12, true), at = tail.getUint32(end + 16, true);
    if (end >= 20 && tail.getUint32(end - 20, true) === 0x07064b50) {
      const large = await zip.view(Number(tail.getBigUint64(end - 12, true)), file.size);
      [count, size, at] = [32, 40, 48].map((place) => Number(large.getBigUint64(place, true)));
    }
    zip.entries = zip.directory(await zip.view(at, at + size), count);
    return zip;
  }
  async view(begin, end) {
    return new DataView(await this.file.slice(begin, end).arrayBuffer());
  }
  directory(view, count) {
    const found = new Map();
    for (let at = 0, n = 0; n < count; n++) {
      if (view.getUint32(at, true) !== 0x02014b50) throw new Unreadable("The package is damaged (its directory is).");
      const [nameSize, extraSize, noteSize] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
      const name = text(new Uint8Array(view.buffer, at + 46, nameSize));
      const entry = { flags: view.getUint16(at + 8, true), method: view.getUint16(at + 10, true), packed: view.getUint32(at + 20, true), size: view.getUint32(at + 24, true), at: view.getUint32(at + 42, true) };
      this.widen(entry, new DataView(view.buffer, at + 46 + nameSize, extraSize));
      if (found.has(name)) throw new Unreadable("The package has two files of one name.");
      if (entry.flags & 1 || ![0, 8].includes(entry.method)) throw new Unreadable("The package is encrypted or compressed in an unknown way.");
      found.set(name, entry);
      at += 46 + nameSize + extraSize + noteSize;
    }
    return found;
  }
  widen(entry, extra) {
    for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
      if (extra.getUint16(at, true) !== 1) continue;
      let place = at + 4;
      for (const field of ["size", "packed", "at"])
        if (entry[field] === 0xffffffff) [entry[field], place] = [Number(extra.getBigUint64(place, true)), place + 8];
    }
  }
  async stream(name) {
    const entry = this.entries.get(name), head = await this.view(entry.at, entry.at + 30);
    const begin = entry.at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const packed = this.file.slice(begin, begin + entry.packed).stream();
    return entry.method ? packed.pipeThrough(new DecompressionStream("deflate-raw")) : packed;
  }
  async *lines(name) {
    let rest = new Uint8Array();
    const reader = (await this.stream(name)).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      rest = rest.length ? joined(rest, part.value) : part.value;
      let begin = 0;
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, begin)) {
        yield rest.subarray(begin, end + 1);
        begin = end + 1;
      }
      rest = rest.slice(begin);
      if (rest.length > LONGEST_LINE) throw new Unreadable(`${name} has a line that is too long.`);
    }
    if (rest.length) yield rest;
  }
  async whole(name) {
    const parts = [];
    for await (const line of this.lines(name)) parts.push(line.slice());
    return joined(...parts);
  }
}

class Package {
  static async open(file, key) {
    const it = new Package();
    it.zip = await Zip.open(file);
    const names = [...it.zip.entries.keys()], missing = NEEDED.find((name) => !names.includes(name));
    if (missing) throw new Unreadable(`The package has no ${missing}.`);
    it.attached = names.filter((name) => name.startsWith("report/")).sort();
    it.unknown = names.filter((name) => !NEEDED.includes(name) && !EXTRAS.includes(name) && !it.attached.includes(name) && !STAMP.test(name)).sort();
    it.noted = []; // the stamped checkpoints that were read
    it.report = names.includes("report.json") ? readObject(await it.zip.whole("report.json"), "report.json") : null;
    it.manifest = readObject(await it.zip.whole("manifest.json"), "The manifest");
    if (it.manifest.format !== FORMAT) throw new Unreadable("This is no evidence package, or one of a newer kind.");
    it.keys = new Map(text(await it.zip.whole("keys.txt")).split("\n").filter(Boolean).map((line) => readKey(line)));
    if (key && !(it.keys.has(key[0]) && same(it.keys.get(key[0]), key[1]))) it.keys = new Map([key]);
    return it;
  }
  async witnesses() {
    if (!this.zip.entries.has("witnesses.txt")) return new Map();
    return new Map(text(await this.zip.whole("witnesses.txt")).split("\n").filter(Boolean).map((line) => readKey(line, WITNESS)));
  }
  number(name) {
    return readCount(this.manifest[name], `The manifest's ${name}`);
  }
  hashes(name) {
    const found = this.manifest[name], hashes = Array.isArray(found) ? found.map((part) => fromBase64(part, "a hash")) : [[]];
    if (hashes.some((part) => part.length !== 32)) throw new Unreadable(`The manifest's ${name} is not a list of hashes.`);
    return hashes;
  }
  async *objects(name, what) {
    if (this.zip.entries.has(name)) for await (const line of this.zip.lines(name)) yield readObject(line, what);
  }
  async handovers() {
    const found = [];
    for await (const says of this.objects("handovers.ndjson", "A handover")) {
      const path = Array.isArray(says.path) ? says.path.map((part) => fromBase64(part, "a hash")) : [];
      found.push({ index: readCount(says.index, "A handover's index"), leaf: utf8(String(says.leaf)), path });
      if (found.length > 1 && found.at(-2).index >= found.at(-1).index) throw new Unreadable("The handovers are not in order.");
    }
    return [found.filter((one) => one.index < this.number("first")), found.filter((one) => one.index >= this.number("last"))];
  }
  async *checkpoints() {
    let before = 0;
    for await (const found of this.objects("checkpoints.ndjson", "A checkpoint")) {
      const size = readCount(found.size, "A checkpoint's size");
      if (size <= before) throw new Unreadable("The checkpoints are not in order.");
      before = size;
      if (this.zip.entries.has(`stamps/${size}.txt`)) this.noted.push([size, String(found.note)]);
      yield { size, note: String(found.note) };
    }
  }
  async stamped() {
    const lines = [];
    for (const [size, note] of this.noted) {
      const [over, stamp] = [`stamps/${size}.txt`, `stamps/${size}.tsr`], said = text(await this.zip.whole(over));
      if (!said || !note.startsWith(said)) throw new Unreadable(`${over} is not the checkpoint of ${size} entries.`);
      if (this.zip.entries.has(stamp)) lines.push(`the time stamp over the checkpoint of ${size} entries: with the package unpacked and the authority's certificates in ROOTS, openssl ts -verify -data ${over} -in ${stamp} -CAfile ROOTS`);
    }
    return lines;
  }
}

// Of each witness the newest cosignature is checked (C2SP tlog-cosignature, Ed25519).
class Witnesses {
  constructor(keys) {
    this.keys = keys;
    this.newest = new Map();
  }
  read(size, note) {
    const at = note.lastIndexOf("\n\n");
    for (const line of this.keys.size ? note.slice(at + 2).split("\n") : []) {
      const found = /^— (\S+) (\S+)$/.exec(line), data = found ? fromBase64(found[2], "a signature") : null;
      const name = found && `${found[1]} ${hex(data.slice(0, 4))}`;
      if (name && this.keys.has(name)) this.newest.set(name, { size, body: note.slice(0, at + 1), data: data.slice(4) });
    }
  }
  async held() {
    const found = [];
    for (const [name, { size, body, data }] of this.newest) {
      const seconds = data.slice(0, 8).reduce((value, byte) => value * 256 + byte, 0);
      const message = utf8(`cosignature/v1\ntime ${seconds}\n${body}`);
      if (!(seconds > 0 && seconds < 253402300800 && (await ed25519Verifies(this.keys.get(name), message, data.slice(8)))))
        throw new Unreadable(`the cosignature by the witness ${name.split(" ")[0]} does not hold`);
      found.push([name.split(" ")[0], size, `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`]);
    }
    return found.sort();
  }
}

class KeyHistory {
  constructor(keys) {
    this.known = keys;
    this.order = [[0, new Map([...keys].slice(0, 1))]];
  }
  async read(index, leaf, says) {
    if (!says || says.event !== HANDOVER) return;
    try {
      const next = await this.next(String(says.details?.note), this.order.at(-1)[1]);
      if (next) this.order.push([index + 1, next]);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
    }
  }
  async next(note, old) {
    const lines = note.split("\n");
    if (lines.length < 3 || lines[0] !== HANDOVER_TITLE) return null;
    const [one, two] = [readKey(lines[1]), readKey(lines[2])], wanted = lines.slice(0, 3).map((line) => `${line}\n`).join("");
    for (const key of [one, two]) if ((await verifiedText(note, new Map([key]))) !== wanted) return null;
    const alike = one[0].split(" ")[0] === two[0].split(" ")[0] && old.has(one[0]) && same(old.get(one[0]), one[1]);
    return alike && one[0] !== two[0] ? new Map([two]) : null;
  }
  inForce(size) {
    return this.order.findLast(([after]) => after < size)?.[1] ?? new Map();
  }
  async whyNot(note, size) {
    for (const [after, key] of this.order) {
      const signed = await openNote(note, key).catch(() => null);
      if (signed) return after < size ? "it is by a key that had been replaced" : "it is by a key that was not in force yet";
    }
    return "";
  }
  unknown() {
    return [...this.known.keys()].filter((name) => !this.order.some(([, key]) => key.has(name)));
  }
}
