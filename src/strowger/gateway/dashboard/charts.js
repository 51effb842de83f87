// Charts as small SVGs of our own. Colours are classes, so that they follow the theme; each chart says in words what it
// shows, and each mark has its figure.

import { h } from './dom.js';
import { DASH } from './format.js';

const WIDTH = 440;
const HEIGHT = 190;
const LEFT = 46;
const BOTTOM = 22;
const TOP = 10;

/** A scale that ends at a round figure. */
function rounded(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= most * 0.999);
}

function frame(label, names, most, format) {
  const axis = [0, 0.5, 1].map((part) => {
    const y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - part);
    return [h('line.grid', { x1: LEFT, x2: WIDTH, y1: y, y2: y }), h('text.tick', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, format(most * part))];
  });
  const every = Math.max(1, Math.ceil(names.length / 7));
  const slot = (WIDTH - LEFT) / Math.max(1, names.length);
  const ticks = names.map((name, at) => (at % every ? null : h('text.tick', { x: LEFT + slot * (at + 0.5), y: HEIGHT - 5, 'text-anchor': 'middle' }, name)));
  return { svg: h('svg.chart', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label }, axis, ticks), slot };
}

/** Bars, one for each of `names`, put together from `series` of `{name, values}`. */
export function bars({ label, names, series, format }) {
  const totals = names.map((_, at) => series.reduce((sum, each) => sum + (each.values[at] || 0), 0));
  const most = rounded(Math.max(0, ...totals));
  const { svg, slot } = frame(`${label}: ${names.map((name, at) => `${name} ${format(totals[at])}`).join(', ')}`, names, most, format);
  const tall = HEIGHT - TOP - BOTTOM;
  const width = Math.max(2, Math.min(34, slot * 0.68));
  names.forEach((name, at) => {
    let low = HEIGHT - BOTTOM;
    series.forEach((each, rank) => {
      const value = each.values[at] || 0;
      const height = (value / most) * tall;
      if (height <= 0) return;
      low -= height;
      svg.append(h(`rect.s${rank % 8}`, { x: LEFT + slot * (at + 0.5) - width / 2, y: low, width, height, rx: Math.min(2, height / 2) },
        h('title', null, `${name} · ${each.name}: ${format(value)}`)));
    });
  });
  return svg;
}

/** A line through parts of a whole (0 to 1); where nothing is known, it has a gap. */
export function line({ label, names, values, format }) {
  const { svg, slot } = frame(`${label}: ${names.map((name, at) => `${name} ${format(values[at])}`).join(', ')}`, names, 1, format);
  const tall = HEIGHT - TOP - BOTTOM;
  const place = (value, at) => [LEFT + slot * (at + 0.5), TOP + tall * (1 - value)];
  let run = [];
  const flush = () => {
    if (run.length > 1) svg.append(h('polyline.rate', { points: run.map((point) => point.join(',')).join(' ') }));
    run = [];
  };
  values.forEach((value, at) => {
    if (value === null || value === undefined) { flush(); return; }
    run.push(place(value, at));
  });
  flush();
  values.forEach((value, at) => {
    if (value === null || value === undefined) return;
    const [cx, cy] = place(value, at);
    svg.append(h('circle.rate', { cx, cy, r: 3.5 }, h('title', null, `${names[at]}: ${format(value)}`)));
  });
  return svg;
}

/** A small curve without axes, for a figure that changes each second. */
export function spark(values, label) {
  const [wide, tall] = [96, 22];
  const most = Math.max(1, ...values);
  const step = wide / 59;
  const from = wide - (values.length - 1) * step;
  const points = values.map((value, at) => `${(from + at * step).toFixed(1)},${(tall - 2 - (value / most) * (tall - 4)).toFixed(1)}`);
  const area = points.length > 1 ? `${from.toFixed(1)},${tall} ${points.join(' ')} ${wide},${tall}` : '';
  return h('svg.spark', { viewBox: `0 0 ${wide} ${tall}`, role: 'img', 'aria-label': label },
    area && h('polygon', { points: area }), points.length > 1 && h('polyline', { points: points.join(' ') }));
}

/** A bar for a part of a whole; `look` is a class. */
export function share(part, look, label) {
  const known = part !== null && part !== undefined;
  return h(`div.share${look ? '.' + look : ''}`, { role: 'img', 'aria-label': `${label}: ${known ? Math.round(part * 100) + '%' : DASH}` },
    h('span', { style: { width: `${Math.min(1, Math.max(0, part || 0)) * 100}%` } }));
}

/** The names of those of which there is something to see. */
export function legend(series) {
  return h('ul.legend', null, series.map((each, rank) => each.values.some(Boolean) && h('li', null, h(`i.s${rank % 8}`, null), each.name)));
}
