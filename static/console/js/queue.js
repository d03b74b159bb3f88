// Keeps the open queue true without moving what is being read: fetches the list (and the open hold, if it is
// the one that changed), moves between rows by key, keeps title and count.
const queue = document.getElementById('queue');
const list = document.getElementById('holds');
const say = text => { document.getElementById('say').textContent = text; };
const rows = () => [...list.querySelectorAll('.hold-row')];
const opened = () => document.querySelector('#detail .hold')?.dataset.hold;
const held = element => (element?.dataset.holds ?? element?.dataset.hold ?? '').split(' ');
const openedAll = () => held(document.querySelector('#detail .hold')).filter(Boolean);
const marks = () => new Map(rows().map(row => [row.dataset.hold, row.dataset.mark]));

function mark() {
  rows().forEach(row => {
    if (held(row).includes(opened())) row.setAttribute('aria-current', 'true');
    else row.removeAttribute('aria-current');
  });
}

function count() {
  const needs = Number(list.querySelector('[data-needs]')?.dataset.needs || 0);
  document.title = `${needs ? `(${needs}) ` : ''}${queue.dataset.title}`;
  document.dispatchEvent(new CustomEvent('rail:needs', { detail: { address: queue.dataset.url, needs } }));
}

async function refreshList(highlight = false) {
  const before = marks();
  const anchor = rows().find(row => row.getAttribute('aria-current')) || rows()[0];
  const top = anchor?.getBoundingClientRect().top;
  await htmx.ajax('GET', `${queue.dataset.listUrl}?open=${opened() || ''}`, { target: '#holds', swap: 'innerMorph' });
  mark();
  count();
  if (anchor?.isConnected) list.scrollTop += anchor.getBoundingClientRect().top - top;
  const fresh = rows().filter(row => before.get(row.dataset.hold) !== row.dataset.mark);
  if (highlight) fresh.forEach(row => row.classList.add('is-changed'));
  setTimeout(() => fresh.forEach(row => row.classList.remove('is-changed')), 5000);
  const arrived = fresh.filter(row => !before.has(row.dataset.hold));
  if (arrived.length) say(`New: ${arrived[0].querySelector('strong')?.textContent ?? ''}`);
}

function refreshDetail() {
  const hold = document.querySelector('#detail .hold');
  if (hold) return htmx.ajax('GET', hold.dataset.url, { target: '#detail', swap: 'innerMorph' });
  if (rows()[0] && innerWidth > 760) return htmx.ajax('GET', rows()[0].getAttribute('href'), { target: '#detail', swap: 'innerHTML' });
  return null;
}

const SOON = 15, PAUSE = 100; // ms: what is said in a row is fetched once; and between the beginnings of two fetches
let pending = null, fetching = false, next = 0, tells = false;
const changed = new Set();
function soon(hold, highlight = true) {
  changed.add(hold);
  tells ||= highlight;
  if (!fetching) pending ??= setTimeout(fetchChanged, Math.max(SOON, next - Date.now()));
}

async function fetchChanged() {
  const mine = openedAll().some(one => changed.has(one)) || changed.has(undefined) || !opened();
  const highlight = tells;
  [pending, fetching, next, tells] = [null, true, Date.now() + PAUSE, false];
  changed.clear();
  try {
    await refreshList(highlight);
    if (mine) await refreshDetail();
  } finally {
    fetching = false;
    if (changed.size) pending = setTimeout(fetchChanged, Math.max(0, next - Date.now()));
  }
}

// An outcome is recorded a moment after the answer went to the agent, and nobody is told of it: ask for it.
function lookAgain() {
  const open = document.querySelector('#detail .hold[data-unfinished]');
  if (open) setTimeout(() => opened() === open.dataset.hold && refreshDetail(), 1000);
}

function step(by) {
  const all = rows();
  const at = all.findIndex(row => row.getAttribute('aria-current'));
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  next?.click();
  next?.scrollIntoView({ block: 'nearest' });
}

document.addEventListener('live:hold', event => soon(event.detail.hold));
// Who else looks is said without touching what is being read, typed or told.
document.addEventListener('live:looked', event => {
  const lookers = document.getElementById('lookers');
  if (!lookers || event.detail.hold !== opened()) return;
  htmx.ajax('GET', document.querySelector('#detail .hold').dataset.url, { target: '#lookers', select: '#lookers', swap: 'outerHTML' });
});
document.addEventListener('live:back', () => soon(undefined));
document.addEventListener('countdown:over', event => setTimeout(soon, 700, event.detail.hold));
// Opening the hold that is open already keeps what is typed and has the focus there.
document.addEventListener('htmx:before:request', event => {
  const { ctx } = event.detail;
  const row = ctx.sourceElement?.closest('.hold-row');
  if (row && row.dataset.hold === opened()) ctx.swap = 'innerMorph';
});
document.addEventListener('htmx:after:swap', event => {
  if (event.detail.ctx?.target?.id !== 'detail') return;
  mark();
  lookAgain();
});
document.addEventListener('click', event => {
  if (event.target.closest('.hold-row')) queue.classList.add('is-reading');
  if (event.target.closest('[data-next]')) step(1);
  if (event.target.closest('[data-previous]')) step(-1);
  if (!event.target.closest('[data-back]')) return;
  event.preventDefault();
  queue.classList.remove('is-reading');
  history.pushState({}, '', queue.dataset.url);
});
setInterval(() => soon('', false), 20_000); // a push can be lost
lookAgain();
count();
