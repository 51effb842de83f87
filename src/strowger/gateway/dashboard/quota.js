// What is left of the accounts: a bar for each window, and when it begins anew, counted down.

import { share } from './charts.js';
import { fill, h } from './dom.js';
import { percent, span, whole, moment } from './format.js';
import { live, state } from './live.js';

const WORDS = {
  rate_limited: 'at its limit',
  quota_exhausted: 'nothing left',
  overloaded: 'no room',
  unauthenticated: 'its credential was refused',
  forbidden: 'its credential was refused',
};

export class Quota {
  constructor() {
    this.out = h('div.scroll');
    this.node = h('section.view', { 'aria-label': 'Quota' }, this.out);
    this.draw = () => this.render();
    live.addEventListener('quota', this.draw);
    live.addEventListener('connection', this.draw);
    this.timer = setInterval(this.draw, 1000);
    this.render();
  }

  render() {
    const { quota } = state;
    if (!quota) {
      fill(this.out, h('p.empty.dim', null, 'Looking …'));
      return;
    }
    const now = Date.now() / 1000;
    const trouble = [...quota.resting.map((each) => rest(each, now)), ...quota.breakers.map(breaker)];
    fill(this.out,
      trouble.length ? h('section.block', null, h('h2', null, 'Left alone for now'), h('ul.trouble-list', null, trouble)) : null,
      quota.accounts.length ? h('div.cards', null, quota.accounts.map((each) => card(each, now)))
        : h('div.empty', null, h('h2', null, 'Nothing is known of any account yet'), h('p.dim', null, 'Providers tell what is left with each answer; those that tell nothing are not listed.')));
  }

  key() {
    return false;
  }

  close() {
    clearInterval(this.timer);
    live.removeEventListener('quota', this.draw);
    live.removeEventListener('connection', this.draw);
  }
}

function card(account, now) {
  const { credits } = account;
  const money = credits && (credits.unlimited ? 'unlimited credits' : credits.balance ? `credits ${credits.balance}` : credits.has_credits ? 'has credits' : '');
  const named = account.account && account.account !== 'default' ? account.account : '';
  return h('article.card', null,
    h('header', null, h('h2', null, account.provider), named && h('span', null, named), account.plan && h('span.tag', null, account.plan), account.limit_reached && h('span.tag.bad', null, 'at its limit')),
    account.windows.length ? account.windows.map((each) => windowRow(each, now)) : h('p.dim', null, 'It tells of no limits.'),
    h('footer.dim', null, [money, `told at ${moment(account.at)}`].filter(Boolean).join(' · ')));
}

function windowRow(window, now) {
  const left = window.resets_at === null || window.resets_at === undefined ? null : window.resets_at - now;
  const over = left !== null && left <= 0;
  let used = over ? 0 : window.used_percent;
  if ((used === null || used === undefined) && window.limit && window.remaining !== null) used = 100 * (1 - window.remaining / window.limit);
  const part = used === null || used === undefined ? null : used / 100;
  const look = part === null ? '' : part >= 0.9 ? 'bad' : part >= 0.7 ? 'warn' : 'good';
  const rest_ = window.remaining !== null && window.remaining !== undefined ? `${whole(window.remaining)}${window.limit ? ' of ' + whole(window.limit) : ''} left` : part === null ? '' : `${percent(1 - part)} left`;
  return h('div.window', null,
    h('div.window-head', null, h('b', null, window.name), h('span.num', null, over ? 'all is left' : rest_)),
    share(part, look, `${window.name} used`),
    h('small.dim', null, left === null ? ' ' : over ? 'has begun anew' : `begins anew in ${span(left)}`));
}

function rest(each, now) {
  const account = each.account && each.account !== 'default' ? `/${each.account}` : '';
  return h('li', null, h('b', null, each.provider + account + (each.model ? ':' + each.model : '')), ` is ${each.told ? 'not asked' : 'asked last'} for ${span(Math.max(0, each.until - now))}: ${WORDS[each.kind] || each.kind}`);
}

function breaker(each) {
  return h('li', null, h('b', null, each.provider + (each.model ? ':' + each.model : '')), ` is asked last ${each.seconds >= 1 ? 'for ' + span(each.seconds) : 'until one call has come through'}: ${each.failures} failures in a row at ${each.base_url}`);
}
