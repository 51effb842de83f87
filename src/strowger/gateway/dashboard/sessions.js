// Sessions: what each cost, agent by agent, and where its cache broke.

import { get } from './api.js';
import { sorry } from './body.js';
import { share } from './charts.js';
import { coalesced, fill, h } from './dom.js';
import { count, dollars, DASH, moment, percent, short, span, whole } from './format.js';
import { live, state } from './live.js';

const STEP = 50;

export class Sessions {
  constructor({ filter, open }) {
    this.filter = filter;
    this.openFlow = open;
    this.shown = new Set();
    this.limit = STEP;
    this.at = -1;
    this.out = h('div.scroll');
    this.node = h('section.view', { 'aria-label': 'Sessions' }, this.out);
    this.judged = new Map();
    this.again = coalesced(() => this.load(), 4000);
    live.addEventListener('flow', this.again);
    this.load();
  }

  async load() {
    try {
      const found = await get('sessions', { where: state.where, limit: this.limit });
      this.render(found.sessions);
    } catch (error) {
      fill(this.out, sorry(error));
    }
  }

  render(sessions) {
    const top = this.out.scrollTop;
    const at = document.activeElement?.dataset?.session;
    if (!sessions.length) {
      fill(this.out, h('div.empty', null, h('h2', null, state.where ? 'No session fits this filter' : 'No sessions yet'), h('p.dim', null, 'Clients that name their session, as Claude Code and Codex do, are listed here.')));
      return;
    }
    const all = sessions.length >= this.limit && h('button', { type: 'button', onclick: () => { this.limit += STEP; this.load(); } }, 'Older sessions');
    fill(this.out, sessions.map((each) => this.card(each)), h('p.more', null, all));
    this.out.scrollTop = top;
    if (at) this.out.querySelector(`[data-session="${CSS.escape(at)}"]`)?.focus();
  }

  card(session) {
    const name = session.session;
    const open = this.shown.has(name);
    const detail = h('div.session-detail', { hidden: !open });
    const toggle = () => {
      if (this.shown.has(name)) this.shown.delete(name);
      else this.shown.add(name);
      const now = this.shown.has(name);
      detail.hidden = !now;
      button.setAttribute('aria-expanded', String(now));
      if (now) this.detail(detail, session);
    };
    const button = h('button.session-head', { type: 'button', 'data-session': name, 'aria-expanded': String(open), onclick: toggle },
      h('span.session-name', null, h('b', null, session.project ? session.project.split('/').pop() : session.program || 'session'), h('code.dim', null, name.slice(0, 8))),
      h('span.dim', null, `${moment(session.last)} · ${span(Math.max(0, session.last - session.first))}`),
      h('span.num', null, count(session.calls, 'call')),
      h('span.num', null, session.errors ? h('span.error-text', null, `${whole(session.errors)} failed`) : ''),
      h('span.num', null, `${short(session.input)} in, ${short(session.output)} out`),
      h('span.num', null, `cache ${percent(session.cache_rate)}`),
      h('b.num', null, money(session)));
    if (open) this.detail(detail, session);
    return h('article.session', null, button, detail);
  }

  detail(node, session) {
    const most = Math.max(1e-12, worth(session));
    const verdicts = h('div.verdicts');
    fill(node,
      h('div.tree', { role: 'tree', 'aria-label': 'Agents' }, session.agents.map((agent) => branch(agent, 1, most, (id) => this.filter(`agent_id:${id}`)))),
      h('p.row-of', null,
        h('button', { type: 'button', onclick: () => this.filter(`session:${session.session}`) }, 'Its calls'),
        h('button', { type: 'button', onclick: () => this.verdicts(verdicts, session.session) }, 'Why did its cache break?'),
        h('span.dim', null, session.models.join(', '))),
      verdicts);
    if (this.judged.has(session.session)) this.judge(verdicts, this.judged.get(session.session));
  }

  async verdicts(node, session) {
    fill(node, h('p.dim', null, 'Looking …'));
    try {
      const { calls } = await get('cache', { session });
      this.judged.set(session, calls);
      this.judge(node, calls);
    } catch (error) {
      fill(node, sorry(error));
    }
  }

  judge(node, calls) {
    const fell = calls.filter((each) => each.fell);
    fill(node, h('p', null, fell.length ? `In ${whole(fell.length)} of ${count(calls.length, 'call')} less was read from the cache than was there.` : `In none of ${count(calls.length, 'call')} did the cache break.`),
      h('ol.cache', null, calls.map((each) => h(each.fell ? 'li.fell' : 'li', null,
        h('button.link', { type: 'button', onclick: () => this.openFlow(each.id) }, moment(each.started)),
        share(each.hit, each.fell ? 'bad' : 'good', 'read from the cache'),
        h('span.num', null, percent(each.hit)),
        h('span', null, each.fell ? `${each.why} (${each.by})` : each.why || '', each.lost_tokens ? h('span.dim', null, ` about ${short(each.lost_tokens)} tokens paid again`) : null)))));
  }

  key(name) {
    const heads = [...this.out.querySelectorAll('.session-head')];
    const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[name];
    if (by === undefined || !heads.length) return false;
    const now = heads.indexOf(document.activeElement);
    heads[now < 0 ? 0 : Math.min(heads.length - 1, Math.max(0, now + by))].focus();
    return true;
  }

  close() {
    live.removeEventListener('flow', this.again);
  }
}

function worth(each) {
  return each.billed_usd + each.plan_usd;
}

function money(each) {
  if (!worth(each)) return each.unpriced ? DASH : '$0';
  return each.plan_usd ? [each.billed_usd ? dollars(each.billed_usd) + ' + ' : '', h('i.dim', { title: 'worth of what a plan covers' }, dollars(each.plan_usd))] : dollars(each.billed_usd);
}

function branch(agent, level, most, filter) {
  const name = agent.agent_id ? agent.agent_type || 'sub-agent' : 'main';
  const { own } = agent; // the sum of all is in the session's own line
  return h('div', { role: 'treeitem', 'aria-level': level, 'aria-expanded': agent.children.length ? 'true' : null },
    h('div.agent', null,
      h('span', { style: { 'padding-left': `${(level - 1) * 22}px` } }, agent.agent_id ? h('button.link', { type: 'button', title: 'Show its calls', onclick: () => filter(agent.agent_id) }, name) : h('b', null, name)),
      h('span.dim', null, agent.models.join(', ')),
      h('span.num', null, count(own.calls, 'call')),
      h('span.num', null, `${short(own.input)} in, ${short(own.output)} out`),
      h('span.num', null, `cache ${percent(own.cache_rate)}`),
      share(worth(own) / most, '', 'part of the cost'),
      h('b.num', null, money(own))),
    agent.children.length ? h('div', { role: 'group' }, agent.children.map((each) => branch(each, level + 1, most, filter))) : null);
}
