// The calls: those that are running with their progress, and all that were, page by page.

import { get } from './api.js';
import { coalesced, fill, h } from './dom.js';
import { asker, bytes, cached, count, dollars, led, millis, moment, percent, short, span } from './format.js';
import { List } from './list.js';
import { calls, live, more, state } from './live.js';

export const COLUMNS = ['', 'Time', 'Client', 'Model', 'In', 'Out', 'Cache', 'Cost', 'Took'];

export class Calls {
  constructor({ open, filter }) {
    this.filter = filter;
    this.list = new List({ height: 34, label: 'Calls', row: callRow, open, more });
    this.hint = h('div.empty', { hidden: true });
    this.foot = h('div.foot', { role: 'status' });
    this.node = h('section.calls', { 'aria-label': 'Calls' }, head(), this.list.node, this.hint, this.foot);
    this.draw = coalesced(() => this.render(), 200);
    this.tick = () => { for (const flow of state.running) flow.version += 1; this.draw(); };
    this.today = [];
    this.sum = coalesced(() => this.add(), 20000);
    live.addEventListener('calls', this.draw);
    live.addEventListener('pulse', this.tick);
    live.addEventListener('flow', this.sum);
  }

  /** What today has brought so far, of the calls that the filter lets pass. */
  async add() {
    try {
      const { rows: [all] } = await get('usage', { where: state.where, since: 'today' });
      this.today = all ? ['today ', count(all.calls, 'call'), ` · ${short(all.input + all.output)} tokens · cache ${percent(all.cache_rate)}`,
        ` · ${dollars(all.billed_usd)}`, all.plan_usd ? ` and ${dollars(all.plan_usd)} covered by plans` : ''] : [];
    } catch {
      this.today = []; // nothing is stored, or the filter is half typed
    }
    this.draw();
  }

  render() {
    if (this.where !== state.where) {
      this.where = state.where;
      this.add();
    }
    const items = calls();
    this.list.show(items);
    this.list.node.hidden = !items.length;
    this.hint.hidden = Boolean(items.length);
    if (!items.length) fill(this.hint, ...nothing());
    const shown = count(Math.max(state.count || 0, items.length), 'call');
    fill(this.foot, state.running.length ? `${state.running.length} running · ` : '', shown, state.loading ? ' · loading more' : '', h('span.today', null, this.today));
  }

  key(name) {
    return moveBy(this.list, name);
  }

  close() {
    live.removeEventListener('calls', this.draw);
    live.removeEventListener('pulse', this.tick);
    live.removeEventListener('flow', this.sum);
    this.list.close();
  }
}

/** What j, k and their kin do in a list. True: it was one of them. */
export function moveBy(list, name) {
  const page = Math.max(1, Math.floor(list.node.clientHeight / list.height) - 1);
  const far = list.items.length;
  const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -far, End: far }[name];
  if (by !== undefined) {
    list.move(by);
    return true;
  }
  if (name === 'Enter' && list.chosenItem) {
    list.open(list.chosenItem);
    return true;
  }
  return false;
}

export function head() {
  return h('div.row-head', { 'aria-hidden': 'true' }, COLUMNS.map((name, at) => h(at > 3 ? 'span.num' : 'span', null, name)));
}

function nothing() {
  if (state.filterProblem) {
    const { message, hint } = state.filterProblem;
    return [h('h2', null, 'This filter cannot be understood'), h('p', null, message), hint && h('p.dim', null, hint)];
  }
  if (!state.loaded) return [h('p.dim', null, 'Looking …')];
  if (state.where) return [h('h2', null, 'No call fits this filter'), h('p.dim', null, 'Esc takes it away, ? lists what can be asked.')];
  return [
    h('h2', null, 'No calls yet'),
    h('p', null, 'As soon as a client asks something through this gateway, it appears here.'),
    h('p.dim', null, 'In a terminal: ', h('code', null, 'strowger run claude')),
  ];
}

const WORDS = { ok: 'ok', failed: 'failed', cancelled: 'cancelled by the client', stopped: 'stopped by a budget', running: 'running', lost: 'the gateway ended before it was over' };

export function dot(outcome) {
  return h(`span.dot.${outcome}`, { role: 'img', 'aria-label': WORDS[outcome] || outcome, title: WORDS[outcome] || outcome });
}

export function callRow(flow) {
  const running = flow.outcome === 'running';
  const { input, output } = flow.tokens || {};
  const way = led(flow);
  const trouble = flow.error && !running ? h('span.error-text', { title: flow.error }, flow.error) : null;
  return h(`div.call${running ? '.running' : ''}${flow.error && !running ? '.failed' : ''}`, null,
    dot(flow.outcome),
    h('span.time.dim', null, moment(flow.started)),
    h('span.who', { title: flow.agent || '' }, asker(flow)),
    h('span.model', { title: way }, h('b', null, flow.model || flow.path), way && h('span.way', null, ' → ', way), trouble),
    running ? progress(flow) : [
      h('span.num', null, short(input)),
      h('span.num', null, short(output)),
      h('span.num.dim', null, percent(cached(flow.tokens))),
      h('span.num', { title: flow.billing === 'plan' ? 'covered by a plan' : null }, flow.billing === 'plan' ? h('i.dim', null, dollars(flow.billed_usd)) : dollars(flow.billed_usd)),
      h('span.num.dim', null, millis(flow.duration_ms)),
    ]);
}

/** How far a call is: nobody knows how long an answer will be, so the bar only says that something comes. */
function progress(flow) {
  const seconds = Math.max(0, Date.now() / 1000 - flow.started);
  const said = flow.events ? `${flow.events === 1 ? '1 event' : short(flow.events) + ' events'} · ${bytes(flow.response_bytes)}` : 'waiting for the first byte';
  return h('span.progress', null,
    h(`span.bar${flow.events ? '' : '.waiting'}`, { role: 'progressbar', 'aria-label': said, style: { '--phase': `${-performance.now() % 7800}ms` } }),
    h('span.said', null, said), h('span.num.dim', null, span(seconds)));
}
