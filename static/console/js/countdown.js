// Rings that empty: seconds left by the server's clock, grey until a fifth is left, then amber. Nothing blinks.
// When one runs out it says so once, so that whoever shows it can ask the server what became of it.
const skew = Number(document.body.dataset.now || 0) * 1000 - Date.now();
const now = () => (Date.now() + (Math.abs(skew) > 2000 ? skew : 0)) / 1000;

function words(left) {
  if (left >= 600) return `${Math.floor(left / 60)} m`;
  if (left >= 60) return `${Math.floor(left / 60)}:${String(Math.floor(left % 60)).padStart(2, '0')}`;
  return `${Math.floor(left)} s`;
}

function draw(ring) {
  const left = Math.max(0, ring.dataset.until - now());
  const share = Math.min(100, 100 * left / ring.dataset.of);
  ring.classList.toggle('is-late', share < 20);
  ring.querySelector('.ring-v').setAttribute('stroke-dasharray', `${share.toFixed(1)} 100`);
  ring.querySelector('text').textContent = words(left);
  if (left > 0 || ring.dataset.over) return;
  ring.dataset.over = 'yes';
  ring.dispatchEvent(new CustomEvent('countdown:over', { bubbles: true, detail: { hold: ring.dataset.hold } }));
}

const drawAll = () => document.querySelectorAll('.ring[data-until]').forEach(draw);
setInterval(drawAll, 1000);
document.addEventListener('htmx:after:swap', drawAll);
drawAll();
