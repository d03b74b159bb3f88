// Menus made of <details class="pop">: one open at a time, closed by Escape or a click elsewhere; focus returns.
const openMenus = () => [...document.querySelectorAll('details.pop[open]')];

document.addEventListener('click', event => {
  const kept = event.target.closest('details.pop');
  openMenus().forEach(menu => { if (menu !== kept) menu.open = false; });
});

document.addEventListener('keydown', event => {
  const menu = event.key === 'Escape' ? openMenus().pop() : null;
  if (!menu) return;
  menu.open = false;
  menu.querySelector('summary').focus();
  event.stopPropagation();
});

document.addEventListener('toggle', event => {
  if (event.target.matches?.('details.pop[open]')) event.target.querySelector('[data-first]')?.focus();
}, true);
