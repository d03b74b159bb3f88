// Plays a session: seek, step, jump to the next of a kind, speeds, silences skipped. Positions are per cent of the map.
const by = id => document.getElementById(id);
const frames = [...document.querySelectorAll('.frame')];
const stops = [{ at: 0, t: 0 }, ...frames.map(frame => ({ at: +frame.dataset.at, t: +frame.dataset.t })), { at: 100, t: +by('player').dataset.length }];
const silences = [...document.querySelectorAll('.idle-band')].map(band => ({ from: +band.dataset.from, to: +band.dataset.to }));
const seek = by('seek'), play = by('play');
const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
let speed = 1, timer = null;

const pad = number => String(number).padStart(2, '0');
const whole = +by('player').dataset.length;
const pace = Math.min(1, whole / 4); // a short session takes four seconds to watch
const words = t => (whole < 10 ? `${t.toFixed(2)} s` : `${Math.floor(t / 60)}:${pad(Math.floor(t % 60))}`);

function between(from, to, value, low, high) {
  return to > from ? low + (high - low) * (value - from) / (to - from) : low;
}
function lookUp(key, value, other) {
  const next = Math.max(1, stops.findIndex(stop => stop[key] >= value));
  const [a, b] = [stops[next - 1], stops[next] ?? stops.at(-1)];
  return between(a[key], b[key], value, a[other], b[other]);
}
const timeAt = at => lookUp('at', at, 't');
const placeAt = t => lookUp('t', t, 'at');

function mark(frame, scroll) {
  if (!frame || frame.getAttribute('aria-current')) return;
  frames.forEach(other => other.removeAttribute('aria-current'));
  frame.setAttribute('aria-current', 'step');
  if (scroll) frame.scrollIntoView({ block: 'center', behavior: calm ? 'instant' : 'smooth' });
}
function show(at, scroll = true, frame = frames.findLast(one => +one.dataset.at <= at + .01) || frames[0]) {
  const t = timeAt(at);
  seek.value = at;
  seek.setAttribute('aria-valuetext', `${Math.floor(t / 60)} minutes ${Math.floor(t % 60)} seconds`);
  by('playhead').setAttribute('x', `${at}%`);
  by('clock').textContent = words(t);
  mark(frame, scroll);
}
const go = frame => { if (frame) show(+frame.dataset.at, true, frame); };
const nowIndex = () => frames.findIndex(frame => frame.getAttribute('aria-current'));
const step = by => go(frames[Math.min(frames.length - 1, Math.max(0, nowIndex() + by))]);
const jump = kind => go(frames.slice(nowIndex() + 1).find(one => one.dataset.kind === kind) || frames.find(one => one.dataset.kind === kind));

function advance(seconds) {
  let at = placeAt(Math.min(stops.at(-1).t, timeAt(+seek.value) + seconds * speed * pace));
  const silence = by('skip-idle').checked && silences.find(one => at > one.from && at < one.to);
  if (silence) at = silence.to;
  show(at);
  if (at >= 100) toggle();
}
function toggle() {
  const playing = !timer;
  clearInterval(timer);
  if (playing && +seek.value >= 100) show(0);
  timer = playing ? setInterval(advance, 50, .05) : null;
  play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
  play.firstElementChild.className = `ti ti-player-${playing ? 'pause' : 'play'}`;
}

document.addEventListener('keydown', event => {
  const act = { ' ': toggle, ArrowLeft: () => step(-1), ArrowRight: () => step(1) }[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input:not(#seek), textarea, dialog[open]')) return;
  if (event.key === ' ' && event.target.closest('button, summary, a')) return;
  event.preventDefault();
  act();
});
document.addEventListener('click', event => {
  const on = selector => event.target.closest(selector);
  if (on('.frame-row')) go(on('.frame'));
  if (on('[data-step]')) step(+on('[data-step]').dataset.step);
  if (on('[data-jump]')) jump(on('[data-jump]').dataset.jump);
  if (!on('[data-speed]')) return;
  speed = +on('[data-speed]').dataset.speed;
  document.querySelectorAll('[data-speed]').forEach(one => one.setAttribute('aria-pressed', String(+one.dataset.speed === speed)));
});
play.addEventListener('click', toggle);
seek.addEventListener('input', () => show(+seek.value));
if (location.hash.startsWith('#action-')) go(document.querySelector(location.hash));
else if (frames.length) show(+frames[0].dataset.at, false);
