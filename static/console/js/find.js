// Finds in the list that is already here: rows whose text holds every word typed. Nothing is sent.
const field = document.getElementById('find');
const list = document.getElementById('holds');

function filter() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  list.querySelectorAll('li').forEach(row => {
    row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
    if (!row.hidden) shown += 1;
  });
  const none = list.querySelector('.find-none');
  if (none) none.hidden = shown > 0 || !words.length;
}

field.addEventListener('input', filter);
field.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  field.value = '';
  filter();
  field.blur();
});
document.addEventListener('htmx:after:swap', () => { if (field.value) filter(); });
