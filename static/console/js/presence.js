// Tells the server which hold is open here while the page is looked at, so that colleagues see it; and draws the count into the tab's icon.
const EVERY = 20_000;
const icon = document.querySelector('link[rel="icon"]');
const plain = icon.href;
const opened = () => document.querySelector('#detail .hold[data-state="waiting"]:not([data-holds])')?.dataset.hold;
let said = null;

function look(again = false) {
  const hold = document.hidden ? null : opened();
  if (hold && (again || hold !== said)) document.dispatchEvent(new CustomEvent('live:say', { detail: { looking: hold } }));
  said = hold;
}

async function draw(needs) {
  if (!needs) { icon.href = plain; return; }
  const picture = Object.assign(new Image(), { src: plain });
  await picture.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
  const pen = canvas.getContext('2d');
  const colours = getComputedStyle(document.documentElement);
  pen.drawImage(picture, 0, 0, 64, 64);
  pen.fillStyle = colours.getPropertyValue('--badge') || '#b42318';
  pen.beginPath();
  pen.arc(44, 20, 20, 0, 7);
  pen.fill();
  pen.fillStyle = '#fff';
  pen.font = 'bold 28px sans-serif';
  pen.textAlign = 'center';
  pen.fillText(needs > 9 ? '9+' : needs, 44, 30, 36);
  icon.href = canvas.toDataURL();
}

document.addEventListener('rail:needs', event => draw(event.detail.needs).catch(() => { icon.href = plain; }));
document.addEventListener('htmx:after:swap', () => look());
document.addEventListener('visibilitychange', () => look());
document.addEventListener('live:open', () => look(true));
setInterval(() => look(true), EVERY);
