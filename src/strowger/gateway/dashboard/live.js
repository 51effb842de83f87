// What the gateway tells as it happens, and the calls that are known here. One stream for the whole page: it comes back
// by itself, and whoever shows something hears of every change once a frame at most.

import { ApiError, get, listen } from './api.js';

const PAGE = 200;
const MOST = 20000;
const SECONDS = 60;
const ELSEWHERE = 10000;

export const live = new EventTarget();

export const state = {
  where: '',
  connected: false,
  problem: null,
  pulse: null,
  pulses: [],
  quota: null,
  store: null,
  calls: new Map(),
  running: [],
  done: [],
  next: null,
  count: null,
  loading: false,
  loaded: false,
  filterProblem: null,
};

let stop = null;

function tell(kind) {
  live.dispatchEvent(new Event(kind));
}

/** Begins to listen, for the calls that a filter lets pass; what was known of others is forgotten. */
export function follow(where) {
  if (stop) stop.abort();
  stop = new AbortController();
  Object.assign(state, { where, running: [], done: [], next: null, count: null, loading: false, loaded: false, filterProblem: null });
  state.calls = new Map();
  tell('calls');
  run(where, stop.signal);
}

async function run(where, signal) {
  for (let pause = 300; !signal.aborted; pause = Math.min(pause * 2, 5000)) {
    try {
      let begun = false;
      await listen(where, (kind, data) => {
        pause = 300;
        hear(kind, data);
        if (begun) return;
        begun = true; // only now is no call missed between what was and what comes
        first(where, signal).catch((error) => { if (!signal.aborted) lost(error); });
      }, signal);
      lost(null);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.param === 'where') {
        state.filterProblem = error;
        state.loaded = true;
        tell('calls');
        return;
      }
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        state.connected = false;
        live.dispatchEvent(new CustomEvent('refused', { detail: error }));
        return;
      }
      lost(error);
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

function lost(error) {
  state.connected = false;
  state.problem = error;
  tell('connection');
}

/** The first page, also after a break: calls may have ended meanwhile, and nobody told. */
async function first(where, signal) {
  const before = calls().filter((flow) => flow.outcome === 'running');
  const page = await get('flows', { where, limit: PAGE, count: true }, signal);
  const told = new Set(page.flows.map((flow) => flow.id));
  for (const flow of before) if (!told.has(flow.id)) drop(flow);
  for (const flow of page.flows) if (flow.outcome !== 'running' || !isOver(flow.id)) put(flow);
  if (!state.loaded) state.next = page.next;
  state.count = page.count ?? null;
  state.loaded = true;
  sort();
  tell('calls');
}

/** The next page of older calls. */
export async function more() {
  if (state.loading || state.next === null || !state.loaded || state.done.length >= MOST) return;
  const { where } = state;
  state.loading = true;
  try {
    const page = await get('flows', { where, limit: PAGE, before: state.next });
    if (where !== state.where) return;
    for (const flow of page.flows) if (!state.calls.has(flow.id)) put(flow);
    state.next = page.next;
    sort();
    tell('calls');
  } catch (error) {
    lost(error);
  } finally {
    if (where === state.where) state.loading = false;
  }
}

function hear(kind, data) {
  if (!state.connected) {
    state.connected = true;
    state.problem = null;
    tell('connection');
  }
  if (kind === 'flow') {
    const known = state.calls.has(data.id);
    put(data);
    if (!known && state.count !== null) state.count += 1;
    dirty = true;
    tell('calls');
    live.dispatchEvent(new CustomEvent('flow', { detail: data }));
  } else if (kind === 'pulse') {
    state.pulse = data;
    state.pulses.push(data);
    if (state.pulses.length > SECONDS) state.pulses.shift();
    for (const { id, events, response_bytes: size } of data.flows) {
      const flow = state.calls.get(id);
      if (flow && flow.outcome === 'running') {
        flow.events = events;
        flow.response_bytes = size;
        flow.version += 1;
      }
    }
    if (state.running.length > data.running && performance.now() - looked > ELSEWHERE) {
      looked = performance.now(); // calls of other gateways with the same store: of their end nobody tells us
      first(state.where).catch(lost);
    }
    tell('pulse');
  } else if (kind === 'quota' || kind === 'store') {
    state[kind] = data;
    tell(kind);
  } else if (kind === 'gap') {
    first(state.where).catch(lost);
  }
}

let looked = 0;
let dirty = false;

function put(flow) {
  const known = state.calls.get(flow.id);
  flow.version = known ? known.version + 1 : 0;
  if (known && flow.seq === undefined) flow.seq = known.seq;
  state.calls.set(flow.id, flow);
}

/** Whether the end of a call has been heard of, which a page that was on its way did not know yet. */
function isOver(id) {
  const known = state.calls.get(id);
  return known !== undefined && known.outcome !== 'running';
}

function drop(flow) {
  state.calls.delete(flow.id);
}

/** Running ones first, then the newest. Done when somebody looks, not with each event. */
function sort() {
  const running = [];
  const done = [];
  for (const flow of state.calls.values()) (flow.outcome === 'running' ? running : done).push(flow);
  const newest = (a, b) => b.started - a.started;
  running.sort(newest);
  done.sort(newest);
  for (const flow of done.splice(MOST + PAGE)) drop(flow);
  state.running = running;
  state.done = done;
  dirty = false;
}

/** All that is known, in the order in which it is shown. */
export function calls() {
  if (dirty) sort();
  return state.running.concat(state.done);
}
