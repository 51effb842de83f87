// What failed: grouped by what went wrong and where, and each call of a group.

import { get } from './api.js';
import { sorry } from './body.js';
import { callRow, head, moveBy } from './calls.js';
import { coalesced, fill, h } from './dom.js';
import { moment, whole } from './format.js';
import { List } from './list.js';
import { live, state } from './live.js';

const FAILED = 'outcome:failed,lost';
const MOST = 500;

export class Errors {
  constructor({ open }) {
    this.flows = [];
    this.chosen = null;
    this.groups = h('div.groups', { role: 'group', 'aria-label': 'Kinds of failures' });
    this.list = new List({ height: 34, label: 'Failed calls', row: callRow, open });
    this.hint = h('div.empty', { hidden: true });
    this.rows = h('section.calls', null, head(), this.list.node, this.hint);
    this.node = h('section.view.errors', { 'aria-label': 'Errors' }, this.groups, this.rows);
    this.again = coalesced(() => this.load(), 3000);
    this.hear = ({ detail }) => { if (detail.outcome === 'failed') this.again(); };
    live.addEventListener('flow', this.hear);
    this.load();
  }

  async load() {
    try {
      const { flows } = await get('flows', { where: `${state.where} ${FAILED}`.trim(), limit: MOST });
      for (const flow of flows) flow.version = 0;
      this.flows = flows;
      this.render();
    } catch (error) {
      fill(this.groups);
      this.rows.hidden = true;
      fill(this.groups, sorry(error));
    }
  }

  render() {
    const groups = new Map();
    for (const flow of this.flows) {
      const name = `${flow.outcome === 'lost' ? 'lost' : flow.error_kind || 'error'}|${flow.provider || lastAsked(flow) || ''}`;
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(flow);
    }
    if (!groups.has(this.chosen)) this.chosen = null;
    const sorted = [...groups].sort((a, b) => b[1].length - a[1].length);
    fill(this.groups, sorted.map(([name, flows]) => {
      const [kind, provider] = name.split('|');
      return h('button.group', { type: 'button', 'aria-pressed': String(name === this.chosen), onclick: () => { this.chosen = this.chosen === name ? null : name; this.render(); } },
        h('b.num', null, whole(flows.length) + (this.flows.length >= MOST ? '+' : '')), h('span.kind', null, kind.replaceAll('_', ' ')), h('span.dim', null, provider || 'before any provider'),
        h('span.dim.last', null, `last at ${moment(flows[0].started)}`), h('span.error-text', { title: flows[0].error || '' }, flows[0].error || ''));
    }));
    const shown = this.chosen ? groups.get(this.chosen) : this.flows;
    this.list.show(shown);
    this.list.node.hidden = !shown.length;
    this.hint.hidden = Boolean(shown.length);
    if (!shown.length) fill(this.hint, h('h2', null, 'Nothing has failed'), h('p.dim', null, state.where ? 'among the calls that the filter lets pass' : 'as far back as calls are kept'));
  }

  key(name) {
    return moveBy(this.list, name);
  }

  close() {
    live.removeEventListener('flow', this.hear);
    this.list.close();
  }
}

function lastAsked(flow) {
  const { attempts } = flow;
  return attempts && attempts.length ? attempts[attempts.length - 1].target.split(':')[0] : '';
}
