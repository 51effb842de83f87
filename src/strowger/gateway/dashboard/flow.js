// One call: what it was and where it went, when what came, what was said on each side, and what we changed in it.

import { download, get, post } from './api.js';
import { isAnswer, linesOf, messageName, messageView, sorry } from './body.js';
import { dot } from './calls.js';
import { copy, fill, h, quoted } from './dom.js';
import { asker, bytes, cached, dollars, DASH, fully, millis, percent, target, whole } from './format.js';
import { live, state } from './live.js';
import { followSaid, showSaid } from './said.js';

const TABS = ['Overview', 'Said', 'Messages', 'Changes', 'JSON'];
const INLINE = 200_000;

export class FlowPanel {
  constructor(id, { close, filter, open }) {
    this.id = id;
    this.close_ = close;
    this.filter = filter;
    this.open = open;
    this.tab = 'Overview';
    this.flow = null;
    this.body = h('div.panel-body');
    this.title = h('div.panel-title');
    this.tabs = h('div.segments', { role: 'tablist', 'aria-label': 'Parts of the call' });
    this.node = h('aside.panel', { 'aria-label': 'One call' },
      h('header.panel-head', null, this.title, h('button.plain', { type: 'button', 'aria-label': 'Close', title: 'Close (Esc)', onclick: close }, '✕')),
      this.tabs, this.body);
    this.hear = ({ detail }) => { if (this.flow && detail.id === this.flow.id) this.take(detail); };
    this.beat = () => this.follow();
    live.addEventListener('flow', this.hear);
    live.addEventListener('pulse', this.beat);
    this.load();
  }

  async load() {
    try {
      this.take(await get(`flows/${encodeURIComponent(this.id)}`));
    } catch (error) {
      fill(this.title, h('h2', null, 'This call cannot be shown'));
      fill(this.body, sorry(error));
    }
  }

  take(flow) {
    const first = this.flow === null;
    const ended = !first && this.flow.outcome === 'running' && flow.outcome !== 'running';
    this.flow = flow;
    fill(this.title, dot(flow.outcome), h('h2', null, flow.model || flow.path), h('span.dim', null, asker(flow)));
    if (first || (this.tab === 'Overview' && !this.body.contains(document.activeElement))) this.show(this.tab);
    else if (ended && this.tab === 'Said') this.follow(true);
  }

  /** What has come meanwhile of a call that is under way. */
  follow(ended = false) {
    const { flow } = this;
    if (!flow || (flow.outcome !== 'running' && !ended)) return;
    if (this.tab === 'Said') followSaid(this.body, flow, () => this.tab === 'Said');
    else if (this.tab === 'Overview') this.take({ ...flow, ...state.calls.get(flow.id), duration_ms: Math.max(0, Date.now() - flow.started * 1000) });
  }

  show(tab) {
    this.tab = tab;
    fill(this.tabs, TABS.map((name) => h('button', {
      type: 'button', role: 'tab', 'aria-selected': String(name === tab), onclick: () => this.show(name),
    }, name)));
    const draw = { Overview: () => this.overview(), Said: () => showSaid(this.body, this.flow, () => this.tab === 'Said'), Messages: () => this.messages(), Changes: () => this.changes(), JSON: () => this.json() }[tab];
    draw();
  }

  /** h and l: the tab before, the tab behind. */
  step(by) {
    this.show(TABS[(TABS.indexOf(this.tab) + by + TABS.length) % TABS.length]);
  }

  overview() {
    const { flow } = this;
    fill(this.body, h('div.scroll', null,
      flow.error && h('div.trouble', { role: 'note' }, h('b', null, flow.error_kind || 'error'), h('span', null, flow.error)),
      figures(flow), times(flow), this.facts(), attempts(flow), losses(flow), notes(flow), this.actions()));
  }

  facts() {
    const { flow, filter } = this;
    const link = (field, value, shown = value) => h('button.link', { type: 'button', title: 'Show these calls', onclick: () => filter(`${field}:${quoted(value)}`) }, shown);
    const rows = [
      ['Began', fully(flow.started)],
      ['Asked', `${flow.method} ${flow.path}${flow.stream ? ', as a stream' : ''}`],
      ['Client', flow.agent || flow.client],
      ['Session', flow.session && link('session', flow.session)],
      ['Agent', flow.agent_id && link('agent_id', flow.agent_id, `${flow.agent_type || 'sub-agent'} ${flow.agent_id.slice(0, 12)}`)],
      ['Project', flow.project], ['Profile', flow.profile], ['Route', flow.route],
      ['Went to', flow.provider && link('provider', flow.provider, target(flow))],
      ['Answered', flow.response_model],
      ['Dialects', flow.upstream_dialect && `${flow.dialect} → ${flow.upstream_dialect}, ${flow.lane}`],
      ['Ended', flow.finish], ['Repeats', flow.replay_of && h('button.link', { type: 'button', onclick: () => this.open(flow.replay_of) }, flow.replay_of)],
      ["Provider's id", flow.upstream_request_id], ['Flow', flow.id],
    ];
    return h('dl.facts', null, rows.filter(([, value]) => value).map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
  }

  actions() {
    const { flow } = this;
    const out = h('p.told', { role: 'status' });
    const to = h('input', { type: 'text', list: 'models', placeholder: 'the same model', 'aria-label': 'Model to send it to', spellcheck: 'false', autocomplete: 'off' });
    const where = h('input', { type: 'text', list: 'targets', placeholder: 'profile or provider', 'aria-label': 'Where the client shall go', spellcheck: 'false', autocomplete: 'off' });
    const run = async (work) => {
      fill(out, '…');
      try { fill(out, ...(await work())); } catch (error) { fill(out, sorry(error)); }
    };
    const replay = async (event) => {
      event.preventDefault();
      await run(async () => {
        const told = await post(`flows/${encodeURIComponent(flow.id)}/replay`, to.value.trim() ? { to: to.value.trim() } : {});
        return ['Sent: ', h('button.link', { type: 'button', onclick: () => this.open(told.flow) }, told.flow.id), ` · ${told.answer.error || told.answer.text || told.answer.stop || ''}`.slice(0, 300)];
      });
    };
    const change = async (event) => {
      event.preventDefault();
      await run(async () => {
        const told = await post(`launches/${encodeURIComponent(flow.launch)}`, { to: where.value.trim() || 'default' });
        return [`From its next call on it goes by ${told.profile ? 'profile ' + told.profile : told.via ? 'provider ' + told.via : 'the configuration'}.`];
      });
    };
    choices();
    return h('div.actions', null,
      h('form.action', { onsubmit: replay }, to, h('button', { type: 'submit', title: 'The same request once more. It is paid for like any other.' }, 'Replay')),
      flow.launch && h('form.action', { onsubmit: change }, where, h('button', { type: 'submit', title: 'The client that asked goes elsewhere from its next call on' }, 'Switch the client')),
      h('div.action', null,
        h('button', { type: 'button', onclick: (event) => this.curl(event.currentTarget) }, 'Copy as curl'),
        h('button', { type: 'button', onclick: (event) => copy(flow.id, event.currentTarget) }, 'Copy the id')),
      out);
  }

  async curl(button) {
    try {
      const { messages } = await get(`flows/${encodeURIComponent(this.flow.id)}/messages`);
      const request = messages.find((each) => each.kind === 'client_request');
      if (!request) throw new Error('the request is not kept');
      const body = request.size <= INLINE ? await (await download(`flows/${encodeURIComponent(this.flow.id)}/body`, { kind: 'client_request' })).text() : null;
      await copy(curlOf(request, body), button);
    } catch (error) {
      button.textContent = error.message;
    }
  }

  async messages() {
    fill(this.body, h('p.empty.dim', null, 'Looking …'));
    let messages;
    try {
      ({ messages } = await get(`flows/${encodeURIComponent(this.flow.id)}/messages`));
    } catch (error) {
      fill(this.body, sorry(error));
      return;
    }
    if (this.tab !== 'Messages') return;
    if (!messages.length) {
      fill(this.body, h('div.empty', null, h('p', null, 'What went over the wires was not kept.'), h('p.dim', null, '[flows] bodies and keep_days say what is.')));
      return;
    }
    const several = messages.filter((each) => each.kind === 'forwarded').length > 1;
    const picked = h('div.picked');
    const bar = h('div.chips', { role: 'tablist', 'aria-label': 'Messages' });
    const pick = (message, form) => {
      fill(bar, messages.map((each) => h('button', { type: 'button', role: 'tab', 'aria-selected': String(each === message), onclick: () => pick(each, 'lines') }, messageName(each, several))),
        isAnswer(message) && h('label.check', null, h('input', { type: 'checkbox', checked: form === 'events', onchange: (event) => pick(message, event.target.checked ? 'events' : 'lines') }), ' events with times'));
      fill(picked, messageView(this.flow.id, message, form));
    };
    fill(this.body, bar, picked);
    pick(messages[0], 'lines');
  }

  async changes() {
    fill(this.body, h('p.empty.dim', null, 'Looking …'));
    try {
      const found = await get(`flows/${encodeURIComponent(this.flow.id)}/compare`);
      if (this.tab !== 'Changes') return;
      const words = { identical: 'The bodies are identical, byte for byte.', equal: 'The bodies say the same, written in another way.' }[found.likeness];
      const lines = [...lined('- ', found.line[0]), ...lined('+ ', found.line[1]), ...found.headers, '', ...found.body];
      fill(this.body, h('p.dim.told', null, words || 'What the client sent (−) and what was forwarded (+).', found.numbers.length > 1 ? ` Request ${found.number + 1} of ${found.numbers.length}.` : ''),
        linesOf('Changes', async () => ({ lines, total: lines.length }), look));
    } catch (error) {
      fill(this.body, sorry(error));
    }
  }

  json() {
    const { version, ...plain } = this.flow;
    const lines = JSON.stringify(plain, null, 2).split('\n');
    fill(this.body, linesOf('JSON', async () => ({ lines, total: lines.length })));
  }

  close() {
    live.removeEventListener('flow', this.hear);
    live.removeEventListener('pulse', this.beat);
  }
}

function lined(sign, text) {
  return text ? [sign + text] : [];
}

function look(line) {
  if (line.startsWith('@@')) return 'at';
  if (line.startsWith('+')) return 'plus';
  return line.startsWith('-') ? 'minus' : '';
}

function figures(flow) {
  const { input, output, cache_read: read, cache_write: write, reasoning } = flow.tokens || {};
  const part = cached(flow.tokens);
  const about = flow.tokens_estimated ? 'about ' : '';
  const cells = [
    ['Prompt', about + whole(input), [read !== undefined && `${whole(read)} cached`, write ? `${whole(write)} written` : ''].filter(Boolean).join(', ')],
    ['Answer', about + whole(output), reasoning ? `${whole(reasoning)} thought` : `${bytes(flow.response_bytes)}`],
    ['Cache', percent(part), part === null ? 'not told' : 'of the prompt'],
    [flow.billing === 'plan' ? 'Worth' : 'Cost', dollars(flow.billed_usd), { plan: 'covered by a plan', free: 'free', metered: 'metered' }[flow.billing] || 'no price known'],
    ['Took', millis(flow.duration_ms || null), flow.first_byte_ms ? `first byte after ${millis(flow.first_byte_ms)}` : ''],
    ['Status', flow.status || DASH, flow.finish || flow.outcome],
  ];
  return h('div.figures', null, cells.map(([name, value, more]) => h('div.figure', null, h('span.dim', null, name), h('b', null, value), h('small.dim', null, more || ' '))));
}

/** What the time went by with, as one bar. */
function times(flow) {
  const end = flow.duration_ms;
  if (!end || flow.outcome === 'running') return null;
  const marks = [
    ['ours', 'Strowger', 0, flow.sent_ms ?? end],
    ['upstream', 'waiting for the provider', flow.sent_ms, flow.upstream_first_byte_ms ?? end],
    // who wants the answer in one piece waits until the provider has sent all of its own
    flow.stream ? ['ours', 'Strowger', flow.upstream_first_byte_ms, flow.first_byte_ms] : ['stream', 'the provider\'s answer', flow.upstream_first_byte_ms, flow.first_byte_ms],
    ['stream', 'the answer', flow.first_byte_ms ?? flow.upstream_first_byte_ms, end],
  ].filter(([, , from, to]) => from !== null && from !== undefined && to > from);
  const said = marks.map(([, name, from, to]) => `${name} ${millis(to - from)}`);
  return h('div.times', { role: 'img', 'aria-label': said.join(', ') },
    h('div.times-bar', null, marks.map(([kind, name, from, to]) => h(`span.${kind}`, { style: { left: `${(from / end) * 100}%`, width: `${((to - from) / end) * 100}%` }, title: `${name}: ${millis(to - from)}` }))),
    h('p.dim', null, said.join(' · ')));
}

function attempts(flow) {
  if (!flow.attempts || !flow.attempts.length || (flow.attempts.length === 1 && !flow.attempts[0].error)) return null;
  return h('section.block', null, h('h3', null, 'Attempts'), h('ol.attempts', null, flow.attempts.map((each) => h('li', null,
    h('b', null, each.account ? `${each.target} (${each.account})` : each.target),
    h('span.dim', null, each.asked ? `${each.status || 'no answer'} · ${millis(each.ms)}` : 'not asked'),
    each.waited_ms ? h('span.dim', null, `after waiting ${millis(each.waited_ms)}`) : null,
    each.error && h('span.error-text', null, each.error)))));
}

function losses(flow) {
  if (!flow.losses || !flow.losses.length) return null;
  return h('section.block', null, h('h3', null, 'Could not be carried'), h('ul.losses', null, flow.losses.map((each) => h('li', null,
    h(`span.severity.${each.severity}`, null, each.severity), h('code', null, each.path), h('span', null, each.reason)))));
}

function notes(flow) {
  if (!flow.notes || !flow.notes.length) return null;
  return h('section.block', null, h('h3', null, 'Notes'), h('ul', null, flow.notes.map((each) => h('li', null, each))));
}

let known = null;

/** Names that can be typed, once for the page. */
function choices() {
  known ??= Promise.all([get('models'), get('status')]).then(([{ models }, status]) => {
    const list = (id, names) => document.body.append(h('datalist', { id }, [...new Set(names)].map((value) => h('option', { value }))));
    list('models', models.filter((each) => !each.discovery).map((each) => each.id));
    list('targets', ['default', ...status.providers.map((each) => each.name)]);
  }).catch(() => { known = null; });
}

function curlOf(request, body) {
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const [method, path] = request.line.split(' ');
  const skipped = new Set(['host', 'content-length', 'connection', 'accept-encoding', 'transfer-encoding', 'content-encoding']);
  const headers = request.headers.filter(([name]) => !skipped.has(name.toLowerCase())).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`);
  const data = body === null ? '--data-binary @request.json' : body ? `--data-binary ${quote(body)}` : '';
  return ['curl -sN', `-X ${method}`, quote(location.origin + path), ...headers, data].filter(Boolean).join(' \\\n  ');
}
