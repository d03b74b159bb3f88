// The editor of policies: a text area of the form, with Cedar coloured and what is wrong told at its line.
import { EditorState } from '../../vendor/codemirror/state.js';
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '../../vendor/codemirror/view.js';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '../../vendor/codemirror/commands.js';
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '../../vendor/codemirror/language.js';
import { lintGutter, lintKeymap, linter } from '../../vendor/codemirror/lint.js';
import { tags } from '../../vendor/codemirror/highlight.js';
import { cedar } from './cedar.js';

const LARGE = 200000; // characters above which it is checked by the button alone
const nonce = document.querySelector('script[data-editor]').nonce;

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--accent)', fontWeight: '600' },
  { tag: [tags.string, tags.number], color: 'var(--literal)' },
  { tag: tags.meta, color: 'var(--mask)' },
  { tag: tags.comment, color: 'var(--ink-3)' },
  { tag: tags.typeName, color: 'var(--ink)', fontWeight: '600' },
  { tag: tags.special(tags.variableName), color: 'var(--ink-2)', fontStyle: 'italic' },
]);

const looks = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--sunken)', border: '1px solid var(--line-2)', borderRadius: 'var(--r2)', fontSize: 'var(--t-m)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '1px' },
  '.cm-scroller': { fontFamily: 'var(--tblr-font-monospace)', lineHeight: '1.6', fontVariantLigatures: 'none', minHeight: '24em', maxHeight: '70vh' },
  '.cm-content': { caretColor: 'var(--ink)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { background: 'color-mix(in srgb, var(--accent) 28%, transparent)' },
  '.cm-gutters': { color: 'var(--ink-3)', backgroundColor: 'var(--sunken)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--hover) 55%, transparent)' },
  '.cm-activeLineGutter': { color: 'var(--ink)' },
  '.cm-matchingBracket': { outline: '1px solid var(--accent)', backgroundColor: 'transparent' },
  '.cm-tooltip': { color: 'var(--ink)', backgroundColor: 'var(--raised)', border: '1px solid var(--line-2)', borderRadius: 'var(--r2)', maxWidth: 'min(60ch, 90vw)' },
  '.cm-panels': { color: 'var(--ink)', backgroundColor: 'var(--surface)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--deny-fill)' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--deny)', textUnderlineOffset: '3px' },
});

function at(view, problem) {
  const line = view.state.doc.line(Math.min(Math.max(problem.line, 1), view.state.doc.lines));
  return { from: line.from, to: line.to, severity: 'error', message: `${problem.reason} ${problem.suggestion}`.trim() };
}

function checking(area) {
  const form = area.form, told = document.getElementById(area.dataset.told);
  return async view => {
    const text = view.state.doc.toString();
    if (!text.trim() || text.length > LARGE) return [];
    const body = new FormData();
    body.set('csrfmiddlewaretoken', form.elements.csrfmiddlewaretoken.value);
    body.set('text', text);
    try {
      const answer = await fetch(area.dataset.check, { method: 'POST', body });
      if (!answer.ok) return [];
      const { problems } = await answer.json();
      const many = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
      told.textContent = problems.length ? `${many}, the first in line ${problems[0].line}.` : 'Nothing is wrong.';
      return problems.map(problem => at(view, problem));
    } catch {
      return []; // not reached: the button says what is wrong
    }
  };
}

// Where typing replaces something, Chromium would keep its looks in a style attribute, which the page's policy refuses.
function replacing(event, view) {
  if (event.inputType !== 'insertText' || !event.data || view.composing || view.state.selection.main.empty) return false;
  event.preventDefault();
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: 'input.type', scrollIntoView: true });
  return true;
}

function edit(area) {
  const label = document.querySelector(`label[for="${area.id}"]`);
  label.id = `${area.id}_label`;
  const attributes = { 'aria-labelledby': label.id, 'aria-describedby': `${area.id}_helptext ${area.dataset.keys}`, spellcheck: 'false', autocapitalize: 'none', tabindex: '0' };
  const view = new EditorView({
    parent: area.parentElement,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        EditorView.cspNonce.of(nonce),
        lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(),
        indentUnit.of('  '), EditorState.tabSize.of(2), EditorView.lineWrapping, cedar, syntaxHighlighting(colours), looks,
        lintGutter(), linter(checking(area), { delay: 700 }),
        keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap, indentWithTab]),
        EditorView.domEventHandlers({ beforeinput: replacing }),
        EditorView.contentAttributes.of(attributes),
        EditorView.updateListener.of(update => { if (update.docChanged) area.value = update.state.doc.toString(); }),
      ],
    }),
  });
  area.before(view.dom);
  area.hidden = true;
  document.getElementById(area.dataset.keys).hidden = false;
  label.addEventListener('click', () => view.focus());
}

document.querySelectorAll('textarea[data-check]').forEach(edit);
