// Approving what is risky arms after a second, drawn as a fill of the button, so that a reflex decides nothing.
const SECOND = 1000;

function arm(button) {
  button.dataset.arming = 'yes';
  setTimeout(() => { delete button.dataset.arming; delete button.dataset.arms; }, SECOND);
}

const look = () => document.querySelectorAll('[data-arms]:not([data-arming])').forEach(arm);
document.addEventListener('click', event => {
  if (event.target.closest('[data-arms]')) event.preventDefault();
}, true);
document.addEventListener('htmx:after:swap', look);
look();
