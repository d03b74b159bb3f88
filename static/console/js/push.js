// Subscribing this browser to pushes: its push service gives an address and keys, and the form sends them.
const place = document.getElementById('devices');
const form = document.getElementById('add-device');
const button = form.querySelector('button');
const says = document.getElementById('push-says');

const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), sign => sign.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

// "Firefox on Linux": enough to know it again
function called() {
  const agent = navigator.userAgent;
  const browser = ['Edg', 'Firefox', 'Chrome', 'Safari'].find(name => agent.includes(`${name}/`)) || 'A browser';
  const system = ['Android', 'iPhone', 'iPad', 'Mac', 'Windows', 'Linux'].find(name => agent.includes(name));
  return `${browser === 'Edg' ? 'Edge' : browser}${system ? ` on ${system}` : ''}`;
}

async function subscribe() {
  if (await Notification.requestPermission() !== 'granted') throw new Error('Your browser does not let the console show notifications.');
  await navigator.serviceWorker.register(place.dataset.pushWorker);
  const worker = await navigator.serviceWorker.ready;
  const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(place.dataset.pushKey) });
  form.elements.endpoint.value = made.endpoint;
  form.elements.p256dh.value = text(made.getKey('p256dh'));
  form.elements.auth.value = text(made.getKey('auth'));
  form.elements.name.value = called();
  form.submit();
}

async function mark() {
  const worker = await navigator.serviceWorker.getRegistration('/');
  const mine = await worker?.pushManager.getSubscription();
  if (!mine) return;
  const row = [...place.querySelectorAll('[data-endpoint]')].find(one => one.dataset.endpoint === mine.endpoint);
  if (!row) return;
  row.querySelector('[data-this]').hidden = false;
  form.hidden = true;
}

if ('serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window) {
  button.disabled = false;
  says.textContent = '';
  form.addEventListener('submit', event => {
    event.preventDefault();
    button.disabled = true;
    subscribe().catch(error => {
      says.textContent = error.name === 'Error' ? error.message : 'The push service of your browser cannot be reached. Try again later.';
      button.disabled = false;
    });
  });
  mark();
}
