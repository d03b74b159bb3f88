// Two forms of one text, formatted and as it was sent: the pressed button's form is shown.
document.addEventListener('click', event => {
  const pressed = event.target.closest('[data-shows]');
  if (!pressed) return;
  const section = pressed.closest('section');
  section.querySelectorAll('[data-shows]').forEach(one => one.setAttribute('aria-pressed', String(one === pressed)));
  section.querySelectorAll('[data-form]').forEach(form => { form.hidden = form.dataset.form !== pressed.dataset.shows; });
});
