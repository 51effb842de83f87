// The keys, and what can be asked of the filter.

import { h } from './dom.js';

const KEYS = [
  ['j k', 'down, up'], ['Enter', 'open the call'], ['Esc', 'close, then take the filter away'], ['/', 'filter'],
  ['h l', 'part of the call before, behind'], ['g G', 'first, last'], ['1 … 5', 'calls, sessions, usage, quota, errors'], ['t', 'light, dark'], ['?', 'this'],
];
const TERMS = [
  ['model:opus*', 'the model that was asked for or that answered'], ['provider:codex', 'who answered'], ['session:3fa9', 'how a session begins'],
  ['status:>=400', 'numbers: = < <= > >=, ranges 400..499, 5xx'], ['cost:>0.1', 'US dollars'], ['tokens:>100k', 'in and out'],
  ['duration:>30s', 'how long it took'], ['since:2h', 'or 14:30, today, 2026-11-21'], ['outcome:failed', 'running, ok, failed, cancelled, stopped, lost'],
  ['error:overloaded', 'a part of the error'], ['agent_id:*', 'calls of sub-agents'], ['-provider:x', 'all but these'], ['model:a,b', 'either'], ['words', 'are looked for in model, session, error, path …'],
];

export function showHelp() {
  const close = () => dialog.close();
  const list = (pairs) => h('dl', null, pairs.map(([name, says]) => [h('dt', null, h('kbd', null, name)), h('dd', null, says)]));
  const dialog = h('dialog.help', { 'aria-label': 'Help', onclose: () => dialog.remove(), onclick: (event) => { if (event.target === dialog) close(); } },
    h('div.help-inner', null,
      h('header', null, h('h2', null, 'Keys and filters'), h('button.plain', { type: 'button', 'aria-label': 'Close', onclick: close }, '✕')),
      h('div.two', null, h('section', null, h('h3', null, 'Keys'), list(KEYS)), h('section', null, h('h3', null, 'Filter'), list(TERMS))),
      h('p.dim', null, 'All terms must hold. It is the language of ', h('code', null, 'strowger flows list --where'), '.')));
  document.body.append(dialog);
  dialog.showModal();
}
