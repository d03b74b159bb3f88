// The rail's numbers, and the groups in the menu "You": asked for once the page is there, so that no page waits for them; again when the
// bell is told that there is something, and now and then because a push can be lost.
// The queue's page has a socket already and passes the word on (live:notified), as it does its own number (rail:needs); other
// pages have a socket of their own.
const bells = [...document.querySelectorAll('[data-bell]')];
const own = !document.querySelector('[data-live-url]');
const QUIET = 75_000; // the server says something every 30 s
let wait = 1000, heard = Date.now();

async function ask() {
  try {
    const answer = await fetch(bells[0].dataset.bell, { headers: { Accept: 'application/json' }, redirect: 'error' });
    if (!answer.ok) return;
    const { places, unread, groups } = await answer.json();
    Object.entries(places).forEach(([address, needs]) => needing(address, needs));
    belonging(groups);
    show(unread);
  } catch { /* the next push or the next minute asks again */ }
}

function needing(address, needs) {
  document.querySelectorAll(`a[href="${address}"] .rail-count`).forEach(badge => {
    badge.hidden = !needs;
    badge.firstElementChild.textContent = needs;
  });
}

function belonging(groups) {
  const place = document.getElementById('your-groups');
  place.hidden = !groups.length;
  place.replaceChildren(...groups.map(name => Object.assign(document.createElement('span'), { className: 'verb', textContent: name })));
}

let known = false; // what was unread before the page came is no news
function show(unread) {
  bells.forEach(bell => {
    const badge = bell.querySelector('.rail-count');
    const grown = unread > Number(badge.dataset.number || 0);
    badge.dataset.number = unread;
    badge.hidden = !unread;
    badge.firstElementChild.textContent = unread > 99 ? '99+' : unread;
    if (known && grown && bell === bells[0]) document.getElementById('say').textContent = `${unread} unread notifications`;
  });
  known = true;
}

function listen() {
  const address = new URL('/ws/bell/', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address);
  socket.addEventListener('message', event => {
    [wait, heard] = [1000, Date.now()];
    if (JSON.parse(event.data).type === 'notified') ask();
  });
  socket.addEventListener('close', () => {
    setTimeout(listen, wait + 500 * Math.random());
    wait = Math.min(60_000, wait * 2);
  });
  const check = setInterval(() => {
    if (Date.now() - heard < QUIET) return;
    clearInterval(check);
    heard = Date.now();
    socket.close();
  }, 10_000);
}

if (bells.length) {
  ask();
  document.addEventListener('live:notified', ask);
  document.addEventListener('rail:needs', ({ detail }) => needing(detail.address, detail.needs));
  setInterval(() => { if (!document.hidden) ask(); }, 60_000);
  if (own) listen();
}
