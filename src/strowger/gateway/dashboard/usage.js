// What was used, and what that cost: by day in charts, and by model, provider, client and so on in a table.

import { get } from './api.js';
import { bars, legend, line, share } from './charts.js';
import { sorry } from './body.js';
import { coalesced, fill, h, quoted } from './dom.js';
import { dollars, DASH, percent, short, whole } from './format.js';
import { live } from './live.js';

const SPANS = [['today', 'Today'], ['7d', '7 days'], ['30d', '30 days'], ['90d', '90 days']];
const GROUPS = [['model', 'Model'], ['provider', 'Provider'], ['credential', 'Account'], ['program', 'Client'], ['project', 'Project'], ['profile', 'Profile'], ['subagent', 'Sub-agent']];
// How the filter calls what sums are put together by; what it cannot say is no link.
const FIELDS = { model: 'model', provider: 'provider', program: 'program', project: 'project', profile: 'profile', subagent: 'agent_type' };
const SERIES = 6;

export class Usage {
  constructor({ filter }) {
    this.filter = filter;
    this.span = '7d';
    this.group = 'model';
    this.bar = h('div.chips');
    this.out = h('div.scroll.usage');
    this.node = h('section.view', { 'aria-label': 'Usage' }, this.bar, this.out);
    this.again = coalesced(() => this.load(), 15000);
    live.addEventListener('flow', this.again);
    this.load();
  }

  async load() {
    const chosen = (list, now, set) => list.map(([value, name]) => h('button', { type: 'button', 'aria-pressed': String(value === now), onclick: () => { set(value); this.load(); } }, name));
    fill(this.bar, h('span.chip-group', null, chosen(SPANS, this.span, (value) => { this.span = value; })),
      h('span.chip-group', null, chosen(GROUPS, this.group, (value) => { this.group = value; })));
    const name = this.span === 'today' ? 'today' : `in the last ${SPANS.find(([value]) => value === this.span)[1]}`;
    const period = this.span === 'today' ? 'hour' : 'day';
    const asked = `${this.span}/${this.group}`;
    this.asked = asked;
    try {
      const { rows } = await get('usage', { by: `${period},${this.group}`, since: this.span });
      for (const row of rows) row.slot = row[period];
      if (this.asked === asked) this.render(rows, name);
    } catch (error) {
      fill(this.out, sorry(error));
    }
  }

  render(rows, name) {
    if (!rows.length) {
      fill(this.out, h('div.empty', null, h('h2', null, `Nothing ${name}`), h('p.dim', null, 'Calls are counted here when they are over.')));
      return;
    }
    const groups = grouped(rows, this.group);
    const slots = this.span === 'today' ? hoursOf(rows) : daysOf(rows, Number.parseInt(this.span, 10));
    const top = groups.slice(0, SERIES);
    const others = new Set(groups.slice(SERIES).map((each) => each.name));
    const seriesOf = (figure) => {
      const made = top.map((each) => ({ name: shown(each.name), values: slots.map((slot) => sum(rows, (row) => row.slot === slot.key && row[this.group] === each.name, figure)) }));
      if (others.size) made.push({ name: others.size === 1 ? [...others][0] || 'unknown' : `${others.size} others`, values: slots.map((slot) => sum(rows, (row) => row.slot === slot.key && others.has(row[this.group]), figure)) });
      return made;
    };
    const names = slots.map((slot) => slot.name);
    const tokens = seriesOf((row) => row.input + row.output);
    const costs = seriesOf((row) => row.billed_usd);
    const rates = slots.map((slot) => rate(rows.filter((row) => row.slot === slot.key)));
    const all = total(rows);
    fill(this.out,
      h('div.figures', null, [
        ['Calls', whole(all.calls), (all.errors ? `${whole(all.errors)} failed` : 'none failed') + (all.stopped ? `, ${whole(all.stopped)} stopped by a budget` : '')],
        ['Prompts', short(all.input), `${short(all.cache_read)} from caches`],
        ['Answers', short(all.output), all.reasoning ? `${short(all.reasoning)} thought` : ''],
        ['Cache', percent(rate(rows)), 'of all prompts'],
        ['Cost', dollars(all.billed_usd), all.unpriced ? `${whole(all.unpriced)} calls without a price` : 'metered'],
        ['Plans', dollars(all.plan_usd), 'worth of what plans cover'],
      ].map(([title, value, more]) => h('div.figure', null, h('span.dim', null, title), h('b', null, value), h('small.dim', null, more || ' ')))),
      h('div.charts', null,
        h('figure', null, h('figcaption', null, 'Tokens'), bars({ label: 'Tokens', names, series: tokens, format: short }), legend(tokens)),
        h('figure', null, h('figcaption', null, 'Cost'), bars({ label: 'Cost', names, series: costs, format: dollars }), legend(costs)),
        h('figure', null, h('figcaption', null, 'Read from the cache'), line({ label: 'Cache rate', names, values: rates, format: percent }))),
      this.table(groups, all));
  }

  table(groups, all) {
    const name = GROUPS.find(([value]) => value === this.group)[1];
    return h('div.table', { tabindex: '0', role: 'region', 'aria-label': `Usage by ${name}` }, h('table', null,
      h('thead', null, h('tr', null, [name, 'Calls', 'Failed', 'Prompt', 'Answer', 'Cache', 'Cost', 'Plans', ''].map((each, at) => h(at ? 'th.num' : 'th', { scope: 'col' }, each)))),
      h('tbody', null, groups.map((each) => h('tr', null,
        h('th', { scope: 'row' }, this.named(each.name)),
        [whole(each.calls), each.errors ? whole(each.errors) : DASH, short(each.input), short(each.output), percent(each.cache), dollars(each.billed_usd), each.plan_usd ? dollars(each.plan_usd) : DASH].map((value) => h('td.num', null, value)),
        h('td.wide', null, share(all.input + all.output ? (each.input + each.output) / (all.input + all.output) : 0, '', 'part of all tokens')))))));
  }

  named(name) {
    if (!name) return h('span.dim', null, DASH);
    const field = FIELDS[this.group];
    return field ? h('button.link', { type: 'button', title: 'Show these calls', onclick: () => this.filter(`${field}:${quoted(name)}`) }, name) : name;
  }

  key() {
    return false;
  }

  close() {
    live.removeEventListener('flow', this.again);
  }
}

function shown(name) {
  return name || 'unknown';
}

function sum(rows, fits, figure) {
  let found = 0;
  for (const row of rows) if (fits(row)) found += figure(row) || 0;
  return found;
}

const FIGURES = ['calls', 'errors', 'stopped', 'input', 'output', 'cache_read', 'cache_write', 'reasoning', 'billed_usd', 'plan_usd', 'unpriced'];

function total(rows) {
  return Object.fromEntries(FIGURES.map((name) => [name, sum(rows, () => true, (row) => row[name])]));
}

function rate(rows) {
  const { input, cache_read: read } = total(rows);
  return input ? read / input : null;
}

function grouped(rows, group) {
  const found = new Map();
  for (const row of rows) {
    if (!found.has(row[group])) found.set(row[group], []);
    found.get(row[group]).push(row);
  }
  const made = [...found].map(([name, each]) => ({ name, ...total(each), cache: rate(each) }));
  return made.sort((a, b) => b.billed_usd + b.plan_usd - (a.billed_usd + a.plan_usd) || b.input + b.output - (a.input + a.output));
}

/** Every day of the span, also those on which nothing happened; keys are in this machine's time, as the store's are. */
function daysOf(rows, count) {
  const today = new Date();
  const dates = Array.from({ length: count }, (_, at) => new Date(today.getFullYear(), today.getMonth(), today.getDate() - (count - 1 - at)));
  const keys = new Map(dates.map((date) => [dayKey(date), date]));
  for (const { slot } of rows) if (!keys.has(slot)) keys.set(slot, new Date(`${slot}T12:00`));
  const name = (date) => date.toLocaleDateString('en-US', { month: 'short', day: 'numeric' });
  return inOrder([...keys].map(([key, date]) => ({ key, name: name(date) })));
}

/** Every hour of today until now, and whatever else there is where the gateway's clock is another. */
function hoursOf(rows) {
  const now = new Date();
  const keys = new Set(Array.from({ length: now.getHours() + 1 }, (_, hour) => `${dayKey(now)} ${pad(hour)}:00`));
  for (const { slot } of rows) keys.add(slot);
  return inOrder([...keys].map((key) => ({ key, name: key.slice(11) })));
}

function inOrder(slots) {
  return slots.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function dayKey(date) {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

function pad(value) {
  return String(value).padStart(2, '0');
}
