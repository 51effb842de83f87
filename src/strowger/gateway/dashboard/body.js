// One message of a call: its head, and its body line by line or event by event, as far as somebody scrolls.

import { ApiError, download, get } from './api.js';
import { fill, h } from './dom.js';
import { bytes, DASH, millis, whole } from './format.js';
import { List } from './list.js';

const STEP = 2000;
const NAMES = {
  client_request: 'Request of the client',
  forwarded: 'Forwarded request',
  upstream_response: 'Answer of the provider',
  client_response: 'Answer to the client',
};

export function messageName({ kind, number }, several) {
  return NAMES[kind] + (several && kind !== 'client_request' && kind !== 'client_response' ? ` ${number + 1}` : '');
}

export function isAnswer({ kind }) {
  return kind.endsWith('_response');
}

/** Lines of text of which only those in sight are elements. `load(offset, limit)` gives `{lines, total}`. */
export function linesOf(label, load, styled = () => '') {
  const items = [];
  let total = 0;
  let busy = false;
  const note = h('p.empty.dim', null, 'Looking …');
  const list = new List({
    height: 19,
    label,
    wide: true,
    row: ({ text, look }) => h(`div.line${look ? '.' + look : ''}`, null, text || ' '),
    more,
  });
  const node = h('div.lines', null, note);
  async function more() {
    if (busy || (items.length && items.length >= total)) return;
    busy = true;
    try {
      const page = await load(items.length, STEP);
      total = page.total;
      for (const text of page.lines) items.push({ id: `l${items.length}`, version: 0, text, look: styled(text) });
      if (items.length && !list.node.isConnected) fill(node, list.node);
      else if (!items.length) fill(node, h('p.empty.dim', null, 'Nothing is in it.'));
      list.show(items);
    } catch (error) {
      fill(node, sorry(error));
    } finally {
      busy = false;
    }
  }
  more();
  return node;
}

export function sorry(error) {
  const hint = error instanceof ApiError ? error.hint : '';
  return h('div.empty', null, h('p', null, error.message), hint && h('p.dim', null, hint));
}

/** A message with all that is kept of it. */
export function messageView(flow, message, form) {
  const path = `flows/${encodeURIComponent(flow)}/body`;
  const which = { kind: message.kind, number: message.number };
  const load = async (offset, limit) => get(path, { ...which, as: 'lines', offset, limit });
  const loadEvents = async (offset, limit) => {
    const page = await get(path, { ...which, as: 'events', offset, limit });
    return { total: page.total, lines: page.events.map((each) => `${String(millis(each.ms)).padStart(9)}  ${(each.kind || DASH).padEnd(22)}  ${each.data}`) };
  };
  const save = h('button.small', { type: 'button', onclick: () => keep(path, which, `${flow}-${message.kind}-${message.number}`) }, 'Save');
  const facts = [
    `${bytes(message.size)}`,
    message.cut && `only the first ${bytes(message.kept)} are kept`,
    message.pieces.length > 1 && `${whole(message.pieces.length)} pieces, ${millis(message.first_ms)} to ${millis(message.last_ms)}`,
  ].filter(Boolean).join(' · ');
  return h('div.message', null,
    h('div.message-head', null, h('code.first', null, message.line), h('span.dim', null, facts), save),
    h('details', { open: message.headers.length <= 6 },
      h('summary', null, `${message.headers.length} headers`),
      h('dl.headers', null, message.headers.map(([name, value]) => [h('dt', null, name), h('dd', null, value)]))),
    message.kept ? linesOf('Body', form === 'events' ? loadEvents : load) : h('p.empty.dim', null, message.size ? 'The body is not kept.' : 'There is no body.'));
}

async function keep(path, which, name) {
  const blob = await download(path, which);
  const url = URL.createObjectURL(blob);
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
