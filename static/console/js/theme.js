// Sets the theme before the first paint: what the person chose, else what the system prefers.
(() => {
  let stored = null;
  try { stored = localStorage.getItem('theme'); } catch { /* storage may be switched off */ }
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  document.documentElement.setAttribute('data-bs-theme', stored === 'dark' || stored === 'light' ? stored : system);
})();
