// A page's websocket. It hears identifiers only; the page fetches what this person may see.
// Says "Live", or "Reconnecting, last heard …" and asks for decisions to wait. Says what it is asked to (live:say). Events: live:open, live:hold, live:looked, live:incident, live:back.
const root = document.querySelector('[data-live-url]');
const label = document.getElementById('live');
const QUIET = 12_000; // the server says something every 5 s
let socket = null, heard = 0, wait = 250, wasLost = false;

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
const clock = at => new Date(at).toLocaleTimeString('en-GB');

function show(state) {
  root.dataset.live = state;
  const lost = state === 'lost';
  label.textContent = lost ? `Reconnecting${heard ? `, last heard ${clock(heard)}` : ''}` : 'Live';
  document.querySelectorAll('[data-decides]').forEach(control => { control.toggleAttribute('data-waits-for-live', lost); });
}

function lose() {
  wasLost = true;
  show('lost');
}

function hear(event) {
  heard = Date.now();
  const message = JSON.parse(event.data);
  if (message.type !== 'beat') tell(`live:${message.type}`, message);
  if (root.dataset.live === 'on') return;
  wait = 250;
  show('on');
  if (wasLost) tell('live:back');
  wasLost = false;
}

function connect() {
  const address = new URL(root.dataset.liveUrl, location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  socket = new WebSocket(address);
  socket.addEventListener('message', hear);
  socket.addEventListener('open', () => tell('live:open'));
  socket.addEventListener('close', () => {
    lose();
    setTimeout(connect, wait + 250 * Math.random());
    wait = Math.min(8000, wait * 2);
  });
}

document.addEventListener('live:say', ({ detail }) => { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(detail)); });
setInterval(() => { if (heard && Date.now() - heard > QUIET) { lose(); socket?.close(); } }, 1000);
document.addEventListener('htmx:after:swap', () => show(root.dataset.live || 'on'));
document.addEventListener('click', event => {
  if (root.dataset.live === 'lost' && event.target.closest('[data-decides]')) event.preventDefault();
}, true);
connect();
