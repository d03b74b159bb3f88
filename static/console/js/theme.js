// Sets the theme before the first paint: what the person chose, else what the system prefers, then and whenever that changes.
(() => {
  const prefersDark = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    let stored = null;
    try { stored = localStorage.getItem('theme'); } catch { /* storage may be switched off */ }
    const system = prefersDark.matches ? 'dark' : 'light';
    document.documentElement.setAttribute('data-bs-theme', stored === 'dark' || stored === 'light' ? stored : system);
  };
  apply();
  prefersDark.addEventListener('change', () => {
    apply();
    dispatchEvent(new Event('themechange'));
  });
})();
