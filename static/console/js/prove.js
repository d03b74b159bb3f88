// Checks an entry's proof in this browser: the leaf's bytes, each hash on the way to the root, and the signature over the root.
const button = document.querySelector('[data-prove]');
const told = document.getElementById('proved');

const utf8 = text => new TextEncoder().encode(text);
const bytes = base64 => Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
const ofHex = text => Uint8Array.from(text.match(/../g) ?? [], pair => parseInt(pair, 16));
const hex = data => Array.from(data, byte => byte.toString(16).padStart(2, '0')).join('');
const joined = (...parts) => new Uint8Array(parts.flatMap(part => [...part]));
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', joined(...parts)));

async function climb({ leaf, steps }) {
  let node = await sha256([0], bytes(leaf));
  for (const step of steps) {
    step.line.classList.add('is-proved');
    const sibling = ofHex(step.sibling);
    node = step.side === 'left' ? await sha256([1], sibling, node) : await sha256([1], node, sibling);
  }
  return hex(node);
}

// A checkpoint is a signed note: name, size and root, an empty line, signatures. Ed25519 with the key of keys.txt.
async function signedRoot(note, keys) {
  const at = note.lastIndexOf('\n\n'), body = note.slice(0, at + 1);
  for (const line of note.slice(at + 2).split('\n')) {
    const [, name, signature] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    for (const key of name ? keys : []) {
      const known = bytes(key.split('+').slice(2).join('+')), id = (await sha256(utf8(`${name}\n`), known)).slice(0, 4);
      if (key.split('+')[0] !== name || hex(id) !== hex(bytes(signature).slice(0, 4))) continue;
      const imported = await crypto.subtle.importKey('raw', known.slice(1), 'Ed25519', false, ['verify']);
      const holds = await crypto.subtle.verify('Ed25519', imported, bytes(signature).slice(4), utf8(body));
      return holds ? { root: hex(bytes(body.split('\n')[2])), by: name } : { wrong: `the signature by ${name} does not hold` };
    }
  }
  return { wrong: 'the checkpoint has no signature by a key of this ledger' };
}

async function prove() {
  const steps = [...document.querySelectorAll('[data-sibling]')].map(line => ({ line, ...line.dataset }));
  const root = await climb({ leaf: button.dataset.leaf, steps });
  const signed = await signedRoot(button.dataset.note, button.dataset.verifiers.split('\n'));
  if (signed.wrong) return [false, `It does not verify: ${signed.wrong}.`];
  if (signed.root !== root) return [false, `It does not verify: the leaf leads to the root ${root.slice(0, 8)}, and ${signed.root.slice(0, 8)} is signed.`];
  return [true, `Verified in this browser: ${steps.length + 1} hashes computed, and the root ${root.slice(0, 8)} is signed by ${signed.by}.`];
}

button?.addEventListener('click', async () => {
  let [good, sentence] = [false, 'This browser computes no hashes on this address: open the console over HTTPS, or take evidence and open its verify.html.'];
  if (window.crypto?.subtle) {
    try {
      [good, sentence] = await prove();
    } catch (error) {
      sentence = `This browser cannot check it (${error.name}): take evidence and open its verify.html.`;
    }
  }
  told.textContent = sentence;
  told.className = good ? 'meta ink-allow' : 'meta ink-deny';
});
