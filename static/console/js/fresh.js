// Keeps what is marked data-fresh true while a page of incidents is open: fetches the page again when it hears that something
// changed, and puts the new parts in place of the old. What is being typed is in no such part; the focus stays where it was.
const own = document.querySelector('[data-incident]')?.dataset.incident;
let pending = null;

function place(part, next) {
  const held = part.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  part.replaceWith(next);
  if (held) next.querySelector(`[href="${CSS.escape(held)}"]`)?.focus();
}

async function refresh() {
  pending = null;
  const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  let changed = false;
  document.querySelectorAll('[data-fresh]').forEach(part => {
    const next = page.getElementById(part.id);
    if (!next || next.innerHTML === part.innerHTML) return;
    changed = true;
    place(part, document.adoptNode(next));
  });
  if (changed) document.getElementById('say').textContent = own ? 'This incident changed.' : 'The list of incidents changed.';
}

// One change leaves several entries: they are fetched together.
const soon = () => { pending ??= setTimeout(refresh, 150); };

document.addEventListener('live:incident', event => { if (!own || event.detail.incident === own) soon(); });
document.addEventListener('live:back', soon);
