// The checks, in verify.py's steps and words, so that both name the same first entry that fails.
"use strict";

const SLACK = 10 * 60 * 1000; // milliseconds that entries of different nodes may be out of order
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

class Checks {
  constructor(file, held, key, given, progress) {
    Object.assign(this, { file, held, key, given, progress, problems: [], checked: [], notChecked: [], entries: 0, checkpoints: 0 });
    Object.assign(this, { tree: new Tree(), nodes: new Map(), people: new Set(), newest: 0, good: 0, signed: 0, heldMet: false, ledTo: [] });
  }
  add(check, message, entry = null) {
    if (!this.problems.some((known) => known.check === check)) this.problems.push({ check, message, entry });
  }
  get firstBadEntry() {
    const named = this.problems.map((problem) => problem.entry).filter((entry) => entry !== null);
    return named.length ? Math.min(...named) : null;
  }
  async run() {
    this.package = await Package.open(this.file, this.key);
    [this.first, this.last, this.size] = ["first", "last", "size"].map((name) => this.package.number(name));
    if (!(this.first <= this.last && this.last <= this.size)) throw new Unreadable("The manifest's counts contradict each other.");
    if (this.held) this.held = await openNote(this.held, this.package.keys);
    this.keys = new KeyHistory(this.package.keys);
    this.witnesses = new Witnesses(this.given.size ? this.given : await this.package.witnesses());
    const [before, after] = await this.package.handovers();
    this.marks = this.package.checkpoints();
    this.mark = (await this.marks.next()).value;
    await this.handed(before);
    this.selected = this.package.manifest.selected === true;
    if (this.selected) return this.runSelected(after);
    await this.push("left", 0, this.first);
    this.good = this.first;
    if (await this.readEntries()) {
      await this.handed(after);
      await this.push("right", this.last, this.size);
      this.end();
      this.keyHistory();
      await this.cosigned();
      await this.names();
      await this.attached();
    }
    await this.say();
    return this;
  }
  async runSelected(after) {
    await this.handed(after);
    const { size, note } = this.mark ?? { size: 0, note: "" };
    const signed = await openNote(note, this.keys.inForce(size)).catch((error) => {
      throw new Unreadable(`The checkpoint of ${size} entries: ${error.message}.`);
    });
    if (signed.size !== this.size || size !== this.size || signed.origin !== this.package.manifest.origin) this.add("signatures", `The checkpoint of ${size} entries is one of another log or size.`);
    [this.checkpoints, this.good] = [1, this.size];
    this.witnesses.read(size, note);
    this.tree.push(0, signed.root);
    if (this.held?.size === size && !same(this.held.root, signed.root)) this.add("outside", `The checkpoint you hold for ${size} entries has another root.`);
    let before = -1;
    for await (const line of this.package.zip.lines("entries.ndjson")) before = await this.oneSelected(readObject(line, `The line after entry ${before}`), before);
    const stated = this.package.number("entries");
    if (this.entries !== stated) this.add("indexes", `${stated} entries are stated, ${this.entries} are here.`);
    this.keyHistory();
    await this.cosigned();
    await this.names();
    await this.say();
    return this;
  }
  async oneSelected(found, before) {
    const index = readCount(found.index, "An entry's index");
    if (index <= before) this.add("indexes", `Entry ${index} stands after entry ${before}.`, index);
    const leaf = typeof found.leaf === "string" ? utf8(found.leaf) : fromBase64(found.leaf_base64, "an entry"), digest = leafHash(leaf);
    if (!same(digest, fromBase64(found.hash, "a hash"))) this.add("bytes", `Entry ${index}: its bytes do not give the hash recorded for it.`, index);
    this.content(index, leaf);
    const path = Array.isArray(found.path) ? found.path.map((part) => fromBase64(part, "a hash")) : [];
    if (!same(rootByPath(index, this.size, digest, path), this.tree.root())) this.add("root", `Entry ${index} does not lead to the root that the checkpoint signs.`, index);
    if (++this.entries % 2000 === 0) await this.progress(this.entries, this.package.number("entries"));
    return Math.max(before, index);
  }
  async handed(handovers) {
    for (const { index, leaf, path } of handovers) {
      await this.keys.read(index, leaf, readObject(leaf, "A handover"));
      this.ledTo.push(rootByPath(index, this.size, leafHash(leaf), path));
    }
  }
  async push(name, begin, end) {
    const hashes = this.package.hashes(name), wanted = heights(begin, end);
    if (hashes.length !== wanted.length) throw new Unreadable(`The manifest's ${name} has ${hashes.length} hashes instead of ${wanted.length}.`);
    wanted.forEach((height, at) => this.tree.push(height, hashes[at]));
    await this.compare();
  }
  async readEntries() {
    for await (const line of this.package.zip.lines("entries.ndjson")) {
      const found = readObject(line, `The line of entry ${this.tree.size}`), index = readCount(found.index, "An entry's index");
      if (index !== this.tree.size || index >= this.last) {
        this.add("indexes", `Entry ${this.tree.size} is missing: entry ${index} is in its place.`, Math.min(index, this.tree.size));
        return false;
      }
      const leaf = typeof found.leaf === "string" ? utf8(found.leaf) : fromBase64(found.leaf_base64, "an entry"), digest = leafHash(leaf);
      if (!same(digest, fromBase64(found.hash, "a hash"))) this.add("bytes", `Entry ${index}: its bytes do not give the hash recorded for it.`, index);
      await this.keys.read(index, leaf, this.content(index, leaf));
      this.tree.push(0, digest);
      if (++this.entries % 2000 === 0) await this.progress(this.entries, this.last - this.first);
      await this.compare();
    }
    if (this.tree.size < this.last) this.add("indexes", `Entry ${this.tree.size} is missing: the package ends before it, though ${this.last} are stated.`, this.tree.size);
    return this.tree.size === this.last;
  }
  content(index, leaf) {
    let says;
    try {
      says = readObject(leaf, "it");
    } catch {
      this.add("form", `Entry ${index} is not a JSON object.`, index);
      return null;
    }
    if (!same(utf8(canonical(says)), leaf)) this.add("form", `Entry ${index} is not in canonical form.`, index);
    for (const who of [says.actor, says.subject, says.on_behalf_of])
      if (who?.kind === "person" && String(who.name).startsWith("sha256:")) this.people.add(who.name);
    if (says.details?.passkey) this.signed++;
    const { node, node_seq: number, recorded } = says;
    if (typeof node !== "string" || !Number.isInteger(number) || !MOMENT.test(recorded)) {
      this.add("form", `Entry ${index} does not say its node, number and time.`, index);
      return says;
    }
    const [before, then] = this.nodes.get(node) ?? [this.first || this.selected ? number - 1 : 0, ""], moment = Date.parse(recorded);
    if (Number.isNaN(moment)) throw new Unreadable(`The package is damaged (entry ${index} has no such time).`);
    if (this.selected ? number <= before : number !== before + 1) this.add("numbers", `Entry ${index}: number ${number} of node ${node} follows number ${before}; those between are missing.`, index);
    if (recorded < then || moment < this.newest - SLACK) this.add("time", `Entry ${index} is dated ${recorded}, before entries that precede it.`, index);
    this.newest = Math.max(this.newest, moment);
    this.nodes.set(node, [number, recorded]);
    return says;
  }
  async compare() {
    const size = this.tree.size;
    if (this.held?.size === size) {
      this.heldMet = true;
      if (!same(this.held.root, this.tree.root())) this.add("outside", `The checkpoint you hold for ${size} entries has another root.`);
    }
    for (; this.mark && this.mark.size <= size; this.mark = (await this.marks.next()).value) await this.checkpoint(this.mark.size, this.mark.note);
  }
  async checkpoint(size, note) {
    this.checkpoints++;
    let signed;
    try {
      signed = await openNote(note, this.keys.inForce(size));
    } catch (error) {
      const why = (await this.keys.whyNot(note, size)) || error.message;
      this.add("signatures", `The checkpoint of ${size} entries: ${why}.`);
      return;
    }
    if (signed.size !== size || signed.origin !== this.package.manifest.origin) this.add("signatures", `The checkpoint of ${size} entries is one of another log or size.`);
    else if (size !== this.tree.size || !same(signed.root, this.tree.root())) {
      const one = size - this.good === 1, among = one ? `entry ${this.good}` : `among entries ${this.good} to ${size - 1}`;
      this.add("root", `The entries do not give the root that the checkpoint of ${size} signs: the first wrong one is ${among}.`, one ? this.good : null);
    } else {
      this.good = size;
      this.witnesses.read(size, note);
    }
  }
  end() {
    if (this.mark || (this.good !== this.size && !this.problems.length)) this.add("signatures", `No checkpoint signs all ${this.size} entries.`);
    if (this.held && !this.heldMet) {
      const why = this.held.size > this.size ? "entries were cut off its end, or it is older" : "not comparable";
      this.add("outside", `The checkpoint you hold covers ${this.held.size} entries, this package ${this.size}: ${why}.`);
    }
    if (this.first || this.last !== this.size) return;
    const { head, nodes } = this.package.manifest;
    if (head !== this.size) this.add("head", `The log had ${head} entries, the package has ${this.size}: entries or checkpoints are missing.`, this.size);
    if (nodes === null || typeof nodes !== "object" || Array.isArray(nodes)) throw new Unreadable("The manifest does not say how many numbers each node gave.");
    for (const node of [...new Set([...Object.keys(nodes), ...this.nodes.keys()])].sort()) {
      const seen = this.nodes.get(node)?.[0] ?? 0, number = Object.hasOwn(nodes, node) ? nodes[node] : 0;
      if (number !== seen) this.add("numbers", `Node ${node} gave numbers up to ${number}; its last entry here has ${seen}.`);
    }
  }
  keyHistory() {
    if (this.ledTo.some((root) => !same(root, this.tree.root()))) this.add("keys", "A handover from one key to the next is not in this ledger.");
    for (const name of this.keys.unknown()) this.add("keys", `keys.txt has the key ${name.replace(" ", "+")}, which no key before it introduced.`);
  }
  async cosigned() {
    let held;
    try {
      held = await this.witnesses.held();
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.add("cosignatures", `Under a checkpoint ${error.message}.`);
      return;
    }
    for (const name of this.given.keys())
      if (!this.witnesses.newest.has(name)) this.add("cosignatures", `The witness ${name.split(" ")[0]} has cosigned no checkpoint of this package.`);
    for (const [name, size, moment] of held) this.checked.push(`the witness ${name} cosigned the checkpoint of ${size} entries, ${moment}`);
    if (held.length && !this.given.size) this.notChecked.push("that witnesses.txt names witnesses whom others run: give keys of yours");
    const largest = Math.max(0, ...held.map(([, size]) => size));
    if (largest < this.last) this.notChecked.push(`entries from ${Math.max(largest, this.first)} on by any witness: none has cosigned them`);
  }
  async names() {
    let opened = 0;
    for await (const found of this.package.objects("names.ndjson", "A name")) {
      const digest = hex(sha256(fromBase64(found.salt, "a salt"), utf8(String(found.name))));
      if (`sha256:${digest}` !== found.commitment) this.add("names", `names.ndjson gives the name '${found.name}', which no entry committed to.`);
      this.people.delete(found.commitment);
      opened++;
    }
    if (opened) this.checked.push(`names and reasons of people that it opens: ${opened}`);
  }
  async attached() {
    const stated = this.package.report ? this.stated(this.package.report) : {};
    for (const name of [...new Set([...Object.keys(stated), ...this.package.attached])].sort()) {
      if (!(name in stated)) this.add(name, `${name} is no file of a report that an entry of this ledger states.`);
      else if (!this.package.attached.includes(name)) this.add(name, `${name} is missing: the report's entry states it.`);
      else if (`sha256:${hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await new Response(await this.package.zip.stream(name)).arrayBuffer())))}` !== stated[name])
        this.add(name, `${name} is not the file that was made: its entry states another hash.`);
    }
    if (Object.keys(stated).length && !this.problems.length) this.checked.push("the report's files, by the hashes that an entry of the ledger states");
  }
  stated(bound) {
    const leaf = utf8(String(bound.leaf)), index = readCount(bound.index, "The place of the report's entry");
    const path = Array.isArray(bound.path) ? bound.path.map((part) => fromBase64(part, "a hash")) : [];
    if (!same(rootByPath(index, this.size, leafHash(leaf), path), this.tree.root())) {
      this.add("report", `The report's entry, said to be entry ${index}, is not in this ledger.`);
      return {};
    }
    const says = readObject(leaf, "The report's entry"), files = says.event === "report:made" ? says.details?.files : null;
    if (!files || typeof files !== "object") throw new Unreadable("report.json does not hold the entry of a report.");
    return Object.fromEntries(Object.entries(files).map(([name, digest]) => [`report/${name}`, String(digest)]));
  }
  async say() {
    this.checked.push("each entry's bytes, canonical form, index, node's number and time order");
    this.checked.push("each checkpoint's signature, and that each continues the one before");
    const changes = this.keys.order.length - 1;
    if (changes) this.checked.push(`${changes} change${changes > 1 ? "s" : ""} of the log's key, each signed by both keys`);
    if (!this.key) this.notChecked.push("that keys.txt holds the keys of the organisation: compare them with a copy of your own");
    else if (!this.keys.inForce(this.size).has(this.key[0])) this.notChecked.push("that the log's newest key is the organisation's: the key you gave handed over to it");
    if (this.held) this.checked.push(`the checkpoint that you hold, of ${this.held.size} entries`);
    else this.notChecked.push("that nobody was shown another ledger, or a longer one: give a checkpoint you hold");
    if (this.selected) this.notChecked.push("that these are all the entries that were asked for: others lie between them");
    else if (this.first || this.last !== this.size) this.notChecked.push(`entries before ${this.first} and from ${this.last} on, which are not in this package`);
    const existing = this.package.manifest.existing_checkpoints;
    if (existing !== this.checkpoints) this.notChecked.push(`checkpoints beyond these: ${existing} exist, ${this.checkpoints} are here`);
    for (const name of this.package.unknown.slice(0, 5)) this.notChecked.push(`${name}, which is no part of the format`);
    if (this.people.size) this.notChecked.push(`names of people that it does not open: ${this.people.size}, erased or not given`);
    if (this.signed) this.notChecked.push(`decisions that people signed with a passkey: ${this.signed}, which verify.py checks`);
    this.notChecked.push(...await this.package.stamped(), "texts that entries only commit to");
  }
}
