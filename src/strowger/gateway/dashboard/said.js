// What was said in a call, as a conversation: who spoke, what they thought, which tools they used.

import { get } from './api.js';
import { sorry } from './body.js';
import { fill, h } from './dom.js';
import { count, whole } from './format.js';

const LAST = 40;
const ALL = 1e6;
const SHORT = 500;
const ROLES = { system: 'System', user: 'User', assistant: 'Model' };

/** Shows a flow's conversation in `node`, its end first in sight. `stays` says whether somebody still looks. */
export async function showSaid(node, flow, stays, last = LAST) {
  fill(node, h('p.empty.dim', null, 'Looking …'));
  let found;
  try {
    found = await get(`flows/${encodeURIComponent(flow.id)}/transcript`, { last });
  } catch (error) {
    if (stays()) fill(node, sorry(error));
    return;
  }
  if (!stays()) return;
  if (!found.readable && !found.answer && flow.outcome !== 'running') {
    fill(node, h('div.empty', null, h('p', null, 'What was said is not kept, or cannot be read.'), h('p.dim', null, '[flows] bodies and keep_days say what is kept.')));
    return;
  }
  const scroll = h('div.scroll.said-all', { tabindex: '0', role: 'region', 'aria-label': 'What was said' },
    found.tools.length ? tools(found.tools) : null,
    found.earlier ? h('p.more', null, h('button.small', { type: 'button', onclick: () => showSaid(node, flow, stays, ALL) }, `${count(found.earlier, 'earlier turn')}`)) : null,
    found.turns.map(turn),
    answer(found, flow));
  fill(node, scroll);
  scroll.scrollTop = scroll.scrollHeight;
}

/** The answer as far as it has come, in place of what was shown of it; keeps its end in sight for who looks at that. */
export async function followSaid(node, flow, stays) {
  const scroll = node.querySelector('.said-all');
  if (!scroll) return;
  const found = await get(`flows/${encodeURIComponent(flow.id)}/transcript`, { last: 0 }).catch(() => null);
  if (!found || !stays() || !scroll.isConnected) return;
  const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 30;
  scroll.lastElementChild.replaceWith(answer(found, flow));
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
}

function answer(found, flow) {
  return h('section.answer', { 'aria-label': 'The answer' },
    found.answer ? turn(found.answer) : null,
    flow.outcome === 'running' ? h('p.dim', null, h('span.dot.running', null), ' it is coming') : null,
    flow.error ? h('div.trouble', null, h('b', null, flow.error_kind || 'error'), h('span', null, flow.error)) : null);
}

function tools(found) {
  return h('details.piece', null, h('summary', null, count(found.length, 'tool')),
    h('dl.facts', null, found.map((tool) => [h('dt', null, h('code', null, tool.name)), h('dd.dim', null, tool.says.slice(0, 300))])));
}

function turn({ role, pieces }) {
  return h(`article.turn.${/^[a-z]+$/.test(role) ? role : 'other'}`, null, h('h3', null, ROLES[role] || role), pieces.map((each) => piece(each, role)));
}

function piece({ kind, title, text, left_out: rest }, role) {
  const more = rest ? h('p.dim', null, `and ${whole(rest)} more characters, which Messages has`) : null;
  if (kind === 'text' && role !== 'system') return h('div.piece', null, title && h('b', null, title + ' '), h('div.words', null, text), more);
  const name = { thinking: 'Thinking', call: 'Calls', result: 'Result of', text: 'Instructions' }[kind] ?? '';
  const summary = h('summary', null, name && h('b', null, name), ' ', title && h('code', null, title), ' ', h('span.dim.gist', null, text.slice(0, 140)));
  return h('details.piece', { open: kind === 'call' && text.length < SHORT }, summary,
    h(kind === 'thinking' ? 'div.words.dim' : 'pre', null, text), more);
}
