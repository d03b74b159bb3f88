// Cedar for the editor: words, texts and entities are told apart; indentation follows brackets.
import { StreamLanguage } from '../../vendor/codemirror/language.js';

const KEYWORDS = new Set(['permit', 'forbid', 'when', 'unless', 'in', 'is', 'has', 'like', 'if', 'then', 'else', 'true', 'false']);
const VARIABLES = new Set(['principal', 'action', 'resource', 'context']);
const OPENS = '([{', CLOSES = ')]}';

function token(stream, state) {
  if (stream.eatSpace()) return null;
  if (stream.match('//')) { stream.skipToEnd(); return 'comment'; }
  if (stream.match(/^"(?:\\.|[^"\\])*"?/)) return 'string';
  if (stream.match(/^@[A-Za-z_]\w*/)) return 'meta';
  if (stream.match(/^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*(?=::")/)) return 'typeName';
  if (stream.match(/^\d+/)) return 'number';
  const word = stream.match(/^[A-Za-z_]\w*/);
  if (word) return KEYWORDS.has(word[0]) ? 'keyword' : VARIABLES.has(word[0]) ? 'variableName.special' : null;
  const letter = stream.next();
  if (OPENS.includes(letter)) state.depth += 1;
  if (CLOSES.includes(letter)) state.depth = Math.max(0, state.depth - 1);
  return null;
}

export const cedar = StreamLanguage.define({
  name: 'cedar',
  startState: () => ({ depth: 0 }),
  token,
  indent: (state, after, context) => Math.max(0, state.depth - (/^[)\]}]/.test(after) ? 1 : 0)) * context.unit,
  languageData: { commentTokens: { line: '//' }, closeBrackets: { brackets: ['(', '[', '{', '"'] } },
});
