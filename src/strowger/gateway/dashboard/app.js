// The page: which view is shown, the filter, the keys, the token. What is shown stands in the address behind `#`, so
// that going back goes back.

import { forgetToken, keepToken, takeToken } from './api.js';
import { Calls } from './calls.js';
import { spark } from './charts.js';
import { fill, h, settled } from './dom.js';
import { Errors } from './errors.js';
import { FlowPanel } from './flow.js';
import { bytes, short, whole } from './format.js';
import { showHelp } from './help.js';
import { follow, live, state } from './live.js';
import { Quota } from './quota.js';
import { Sessions } from './sessions.js';
import { Usage } from './usage.js';

const VIEWS = { calls: ['Calls', Calls], sessions: ['Sessions', Sessions], usage: ['Usage', Usage], quota: ['Quota', Quota], errors: ['Errors', Errors] };
const FILTERED = new Set(['calls', 'sessions', 'errors']);
const THEMES = { auto: '◐', light: '☀', dark: '☾' };

const main = document.getElementById('main');
const shell = { name: '', view: null, panel: null, panelId: '' };
const store = { get: (name) => localStorage.getItem('strowger-' + name), set: (name, value) => localStorage.setItem('strowger-' + name, value) };

// ---- where we are: #/view/flow?where=… ----

function place() {
  const [path, asked] = location.hash.slice(2).split('?');
  const [name, id = ''] = path.split('/');
  return { name: VIEWS[name] ? name : 'calls', id: decodeURIComponent(id), where: new URLSearchParams(asked).get('where') || '' };
}

function go({ name = shell.name || 'calls', id = '', where = state.where }, replace = false) {
  const hash = `#/${name}${id ? '/' + encodeURIComponent(id) : ''}${where ? '?' + new URLSearchParams({ where }) : ''}`;
  if (hash === location.hash) return;
  if (replace) history.replaceState(null, '', hash);
  else history.pushState(null, '', hash);
  arrive();
}

const ways = {
  open: (flow) => go({ id: typeof flow === 'string' ? flow : flow.id }),
  close: () => go({ id: '' }),
  filter: (where) => go({ name: 'calls', id: '', where }),
};

function arrive() {
  const { name, id, where } = place();
  if (where !== state.where || !shell.view) {
    search.value = where;
    follow(where);
    if (shell.view && name === shell.name && name !== 'calls') swap(name);
  }
  if (name !== shell.name) swap(name);
  if (id !== shell.panelId) {
    if (shell.panel) { shell.panel.close(); shell.panel.node.remove(); }
    shell.panelId = id;
    shell.panel = id ? new FlowPanel(id, ways) : null;
    if (shell.panel) stage.append(shell.panel.node);
    stage.classList.toggle('split', Boolean(id));
    if (!id && shell.view.list) shell.view.list.node.focus({ preventScroll: true });
  }
  document.title = `${VIEWS[name][0]} · Strowger`;
}

function swap(name) {
  if (shell.view) { shell.view.close(); shell.view.node.remove(); }
  shell.name = name;
  shell.view = new VIEWS[name][1](ways);
  stage.prepend(shell.view.node);
  bar.hidden = !FILTERED.has(name);
  fill(document.getElementById('tabs'), Object.entries(VIEWS).map(([each, [title]]) => h('a', {
    href: '#/' + each, 'aria-current': each === name ? 'page' : null,
    onclick: (event) => { event.preventDefault(); go({ name: each, id: '' }); },
  }, title)));
  if (shell.view.draw) shell.view.draw();
}

// ---- the filter ----

const search = h('input', { type: 'search', id: 'where', placeholder: 'model:opus* status:>=400 -provider:x since:2h', 'aria-label': 'Filter', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off' });
const apply = settled(() => go({ where: search.value.trim() }, true), 350);
search.addEventListener('input', apply);
search.addEventListener('search', apply);
const quick = [['failed', 'outcome:failed'], ['running', 'outcome:running'], ['sub-agents', 'agent_id:*'], ['slow', 'duration:>30s'], ['last hour', 'since:1h']];
const bar = h('div.filter', { role: 'search' }, h('label.lens', { for: 'where', 'aria-hidden': 'true' }, '⌕'), search,
  h('span.quick', null, quick.map(([title, where]) => h('button', { type: 'button', title: where, onclick: () => toggle(where) }, title))));
const stage = h('div.stage');

function toggle(term) {
  const terms = state.where.split(/\s+/).filter(Boolean);
  const rest = terms.filter((each) => each !== term);
  go({ where: (rest.length < terms.length ? rest : [...terms, term]).join(' ') }, true);
}

// ---- the head of the page ----

function gauge() {
  const { pulse } = state;
  const node = document.getElementById('gauge');
  if (!state.connected || !pulse) {
    fill(node, h('span.dot.lost', null), h('span', null, state.problem ? 'the gateway is away' : 'connecting'));
    return;
  }
  const speed = pulse.tokens_per_second;
  fill(node, spark(state.pulses.map((each) => each.tokens_per_second), 'tokens per second in the last minute'),
    h('span.figure-in', { title: `${bytes(pulse.bytes_per_second)} and ${short(pulse.events_per_second)} events a second` }, h('b', null, short(Math.round(speed))), ' tok/s'),
    h(`span.dot.${pulse.running ? 'running' : 'ok'}`, null),
    h('span.figure-in', { title: `${whole(pulse.calls)} calls since the gateway began, ${whole(pulse.failed)} failed` }, h('b', null, whole(pulse.running)), ' running'));
}

const notice = document.getElementById('notice');

function complain() {
  const { problem, store: kept } = state;
  const said = problem ? [problem.message, problem.hint] : kept && kept.problem ? ['the store of calls: ' + kept.problem, 'calls themselves go on as ever'] : null;
  notice.hidden = !said;
  if (said) fill(notice, h('span', null, said[0]), said[1] && h('span.dim', null, said[1]));
}

function theme(next) {
  const names = Object.keys(THEMES);
  const now = next || store.get('theme') || 'auto';
  const name = names.includes(now) ? now : 'auto';
  store.set('theme', name);
  if (name === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset.theme = name;
  const button = document.getElementById('theme');
  button.textContent = THEMES[name];
  button.title = `Light or dark: ${name} (t)`;
}

function nextTheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const order = dark ? ['auto', 'light', 'dark'] : ['auto', 'dark', 'light'];
  theme(order[(order.indexOf(store.get('theme') || 'auto') + 1) % 3]);
}

// ---- keys ----

const JUMPS = { 1: 'calls', 2: 'sessions', 3: 'usage', 4: 'quota', 5: 'errors' };

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const typing = event.target.matches('input, textarea, select');
  const { key } = event;
  if (key === 'Escape') {
    if (typing && search.value === '') search.blur();
    else if (typing && event.target === search) { search.value = ''; apply(); search.blur(); } else if (shell.panel) ways.close();
    else if (state.where) go({ where: '' }, true);
    return;
  }
  if (typing) {
    if (event.target === search && (key === 'ArrowDown' || key === 'Enter')) { search.blur(); shell.view.key('j'); event.preventDefault(); }
    return;
  }
  if (key === 'Enter' && event.target.matches('button, a, summary')) return;
  const done = { '/': () => { if (bar.hidden) go({ name: 'calls', id: '' }); search.focus(); search.select(); }, '?': showHelp, t: nextTheme,
    h: () => shell.panel && shell.panel.step(-1), l: () => shell.panel && shell.panel.step(1), g: () => shell.view.key('Home'), G: () => shell.view.key('End') }[key];
  if (done) done();
  else if (JUMPS[key]) go({ name: JUMPS[key], id: '' });
  else if (event.target.closest('.panel') && key.startsWith('Arrow')) return;
  else if (!shell.view.key(key)) return;
  else if (shell.panel && ['j', 'k', 'ArrowDown', 'ArrowUp'].includes(key) && shell.view.list) follows();
  event.preventDefault();
}

/** The panel goes along with the chosen row, once the keys rest. */
const follows = settled(() => { if (shell.panel && shell.view.list.chosenItem) go({ id: shell.view.list.chosenItem.id }, true); }, 120);

// ---- the token ----

function ask(error) {
  const field = h('input', { type: 'password', name: 'token', autocomplete: 'off', 'aria-label': 'Admin token', required: true });
  const submit = (event) => { event.preventDefault(); keepToken(field.value.trim()); location.reload(); };
  forgetToken();
  bar.hidden = notice.hidden = true;
  fill(document.getElementById('gauge'));
  fill(stage, h('form.gate', { onsubmit: submit },
    h('h1', null, error ? 'You cannot be let in with this' : 'A token is needed'),
    error && h('p.error-text', null, error.message),
    h('p', null, 'Open this page with ', h('code', null, 'strowger dashboard'), ', which knows the token of the gateway that runs.'),
    h('p.dim', null, error ? 'The token changes each time a gateway starts. ' : '', 'Or enter it here; it is in the pid file that ', h('code', null, 'strowger serve'), ' names.'),
    h('div.action', null, field, h('button', { type: 'submit' }, 'Go on'))));
  field.focus();
}

// ---- begin ----

async function begin() {
  theme();
  document.getElementById('theme').addEventListener('click', nextTheme);
  document.getElementById('help').addEventListener('click', showHelp);
  main.append(bar, stage);
  try {
    if (!await takeToken()) { ask(null); return; }
  } catch (error) {
    ask(error);
    return;
  }
  for (const kind of ['pulse', 'connection']) live.addEventListener(kind, gauge);
  for (const kind of ['store', 'connection']) live.addEventListener(kind, complain);
  live.addEventListener('refused', ({ detail }) => { location.hash = ''; ask(detail); }, { once: true });
  addEventListener('popstate', arrive);
  addEventListener('hashchange', () => (/^#(token|ticket)=/.test(location.hash) ? location.reload() : arrive()));
  addEventListener('keydown', pressed);
  gauge();
  arrive();
}

begin();
