// One letter does one thing: it presses the visible control that carries it in data-key. `?` lists them all.
// A person can switch single letters off (WCAG 2.1.4); the switch is in the list.
const dialog = document.getElementById('keys');
const letters = document.getElementById('letters');
const typing = target => target.closest('input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable]');
const off = () => { try { return localStorage.getItem('letters') === 'off'; } catch { return false; } };

function press(letter) {
  const all = [...document.querySelectorAll(`[data-key="${CSS.escape(letter)}"]`)];
  const control = all.find(one => one.checkVisibility() && !one.disabled);
  if (!control) return false;
  if (control.matches('input, textarea')) control.focus();
  else control.click();
  return true;
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !'jk'.includes(event.key)) return;
  if (typing(event.target) || dialog?.open || off()) return;
  if (event.key === '?') dialog?.showModal();
  else if (event.key.length !== 1 || event.key === ' ' || !press(event.key.toLowerCase())) return;
  event.preventDefault();
});

document.addEventListener('click', event => {
  if (event.target.closest('[data-keys]')) dialog?.showModal();
});

if (letters) {
  letters.checked = !off();
  letters.addEventListener('change', () => {
    try { localStorage.setItem('letters', letters.checked ? 'on' : 'off'); } catch { /* it then lasts for this page */ }
  });
}
