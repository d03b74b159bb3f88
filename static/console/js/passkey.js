// A decision that takes a passkey: asks the server what to sign, the authenticator to sign it, then sends the form with that.
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), one => one.charCodeAt(0));
const url = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const say = text => { document.getElementById('say').textContent = text; };

async function asked(form, button) {
  const answer = await fetch(form.dataset.passkey, { method: 'POST', body: new FormData(form, button), headers: { Accept: 'application/json' } });
  const told = await answer.json().catch(() => ({ message: 'The passkey could not be asked for. Load the page again.' }));
  if (!answer.ok) throw new Error(told.message);
  return { ...told, challenge: bytes(told.challenge), allowCredentials: told.allowCredentials.map(one => ({ ...one, id: bytes(one.id) })) };
}

async function sign(form, button) {
  const { id, response } = await navigator.credentials.get({ publicKey: await asked(form, button) });
  const [clientDataJSON, authenticatorData, signature] = [response.clientDataJSON, response.authenticatorData, response.signature].map(url);
  form.elements.passkey.value = JSON.stringify({ id, clientDataJSON, authenticatorData, signature });
}

function explain(form, error) {
  const why = error.name === 'NotAllowedError' ? 'Nothing was decided: the passkey did not answer.' : error.message;
  let note = form.querySelector('[role=alert]');
  note ??= form.appendChild(Object.assign(document.createElement('p'), { className: 'meta ink-deny' }));
  note.setAttribute('role', 'alert');
  note.textContent = why;
  say(why);
}

document.addEventListener('submit', async event => {
  const form = event.target.closest('form[data-passkey]');
  if (!form || form.elements.passkey.value || event.submitter?.value === 'deny') return; // a denial takes none
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.dataset.signing || !form.reportValidity()) return;
  form.dataset.signing = 'yes';
  try {
    await sign(form, event.submitter);
    form.requestSubmit(event.submitter);
  } catch (error) {
    explain(form, error);
  } finally {
    delete form.dataset.signing;
  }
}, true);
