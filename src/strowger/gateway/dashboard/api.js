// The admin API, asked with the token that `strowger dashboard` handed over. Every answer is data: nothing of it is
// ever taken for markup.

const BASE = '/_strowger/';
const KEPT = 'strowger-token';

/**
 * Takes what was handed over out of the address bar, where it would be copied and remembered, and keeps the token for
 * this tab. A ticket stands for the token once. Raises ApiError for one that is used up.
 */
export async function takeToken() {
  const given = /^#(token|ticket)=([\w-]+)/.exec(location.hash);
  if (given) {
    history.replaceState(null, '', location.pathname + '#/calls');
    keepToken(given[1] === 'token' ? given[2] : (await post('token', { ticket: given[2] })).token);
  }
  return sessionStorage.getItem(KEPT);
}

export function keepToken(token) {
  sessionStorage.setItem(KEPT, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEPT);
}

/** What went wrong, in the gateway's words. `status` is 0 when nobody answered. */
export class ApiError extends Error {
  constructor(status, message, hint, param) {
    super(message);
    this.status = status;
    this.hint = hint || '';
    this.param = param || '';
  }
}

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(BASE + path, {
      ...options,
      headers: { authorization: 'Bearer ' + (sessionStorage.getItem(KEPT) || ''), ...options.headers },
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      redirect: 'error',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'the gateway does not answer', 'is it still running? `strowger status` tells');
  }
  if (!answer.ok) {
    const said = (await answer.json().catch(() => ({}))).error || {};
    throw new ApiError(answer.status, said.message || `the gateway answered ${answer.status}`, said.hint, said.param);
  }
  return answer;
}

export function query(members) {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== null && value !== '' && value !== false) told.set(name, value === true ? 'yes' : value);
  }
  const text = told.toString();
  return text ? '?' + text : '';
}

export async function get(path, members = {}, signal) {
  return (await request(path + query(members), { signal })).json();
}

export async function download(path, members = {}) {
  return (await request(path + query(members))).blob();
}

export async function post(path, body) {
  const options = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return (await request(path, options)).json();
}

/** Reads the event stream until it ends, or `signal` says so. `on(kind, data)` hears of each event. */
export async function listen(where, on, signal) {
  const answer = await request('events' + query({ where }), { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      let kind = '';
      let data = '';
      for (const line of frame.split('\n')) {
        if (line.startsWith('event: ')) kind = line.slice(7);
        else if (line.startsWith('data: ')) data += line.slice(6);
      }
      if (data) on(kind, JSON.parse(data));
    }
  }
}
