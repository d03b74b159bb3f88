// The theme button: changes the theme, remembers it, and tells whoever draws with the colours.
const root = document.documentElement;

document.addEventListener('click', event => {
  if (!event.target.closest('[data-theme-toggle]')) return;
  const next = root.getAttribute('data-bs-theme') === 'dark' ? 'light' : 'dark';
  root.setAttribute('data-bs-theme', next);
  try { localStorage.setItem('theme', next); } catch { /* it then lasts for this page */ }
  dispatchEvent(new Event('themechange'));
});
