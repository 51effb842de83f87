// Figures as people read them. None of them invents one: what is not known is a dash.

export const DASH = '–';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function whole(value) {
  return value === null || value === undefined ? DASH : WHOLE.format(value);
}

/** 1 call, 2 calls. */
export function count(number, word) {
  return `${whole(number)} ${word}${number === 1 ? '' : 's'}`;
}

/** 12,345 as 12.3k: three digits are enough beside a chart. */
export function short(value) {
  if (value === null || value === undefined) return DASH;
  for (const [unit, name] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (Math.abs(value) >= unit * 0.9995) {
      const scaled = value / unit;
      return scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + name;
    }
  }
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

export function bytes(value) {
  if (value === null || value === undefined) return DASH;
  for (const [unit, name] of [[1 << 30, 'GiB'], [1 << 20, 'MiB'], [1 << 10, 'KiB']]) {
    if (value >= unit) return (value / unit).toFixed(value / unit < 10 ? 1 : 0) + ' ' + name;
  }
  return whole(value) + ' B';
}

/** US dollars; small sums keep two digits that say something. */
export function dollars(value) {
  if (value === null || value === undefined) return DASH;
  if (value === 0) return '$0';
  if (Math.abs(value) < 0.01) return '$' + value.toPrecision(2).replace(/\.?0+$/, '');
  return '$' + (Math.abs(value) < 100 ? value.toFixed(2) : WHOLE.format(value));
}

export function millis(value) {
  if (value === null || value === undefined) return DASH;
  if (value < 1000) return (value < 10 ? value.toFixed(1) : Math.round(value)) + ' ms';
  return span(value / 1000);
}

/** Seconds as 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h. */
export function span(seconds) {
  if (seconds < 0) return DASH;
  if (seconds < 10) return seconds.toFixed(1) + ' s';
  if (seconds < 60) return Math.round(seconds) + ' s';
  const steps = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'], [60, 'min', 1, 's']];
  for (const [large, name, small, other] of steps) {
    if (seconds >= large) {
      const rest = Math.floor((seconds % large) / small);
      return `${Math.floor(seconds / large)} ${name}` + (rest ? ` ${rest} ${other}` : '');
    }
  }
  return DASH;
}

export function percent(part) {
  return part === null || part === undefined || Number.isNaN(part) ? DASH : Math.round(part * 100) + '%';
}

const CLOCK = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const DAY = new Intl.DateTimeFormat([], { month: 'short', day: 'numeric' });
const FULL = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'medium' });

/** The time of a day, with the day where it is not today. `at` is Unix time. */
export function moment(at) {
  const date = new Date(at * 1000);
  const clock = CLOCK.format(date);
  return date.toDateString() === new Date().toDateString() ? clock : `${DAY.format(date)} ${clock.slice(0, 5)}`;
}

export function fully(at) {
  return FULL.format(new Date(at * 1000));
}

/** The part of the prompt that was read from the cache, 0 to 1; null where nobody counted. */
export function cached(tokens) {
  const { input, cache_read: read } = tokens || {};
  return input && read !== undefined ? read / input : null;
}

/** `claude · sub-agent kind` and the like: who asked. */
export function asker(flow) {
  const who = flow.program || flow.client || '';
  return flow.agent_id ? `${who} · ${flow.agent_type || 'sub-agent'}` : who;
}

/** Where a call went. */
export function target(flow) {
  return `${flow.provider}${flow.account ? '/' + flow.account : ''}:${flow.upstream_model}`;
}

/** The same in short; the model only where it is another than the one that was asked for. While nobody has answered: who
 * is being asked. */
export function led(flow) {
  if (!flow.provider) return flow.outcome === 'running' && flow.attempts.length ? flow.attempts[flow.attempts.length - 1].target : '';
  const account = flow.account ? `/${flow.account}` : '';
  const model = flow.upstream_model && flow.upstream_model !== flow.model ? `:${flow.upstream_model}` : '';
  return flow.provider + account + model;
}
