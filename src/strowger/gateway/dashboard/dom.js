// Elements are made here and nowhere else, and all text goes in as text: a model's name or an error that looks like
// markup is shown as it is written.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'g', 'path', 'rect', 'line', 'circle', 'text', 'title', 'polyline', 'polygon']);

/** An element: `h('td.num', {title: 'x', onclick}, 'text', child)`. What is null or false is left out. */
export function h(what, members, ...children) {
  const [tag, ...classes] = what.split('.');
  const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length) node.setAttribute('class', classes.join(' '));
  for (const [name, value] of Object.entries(members || {})) set(node, name, value);
  add(node, children);
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else if (name === 'style') for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
  else if (name === 'value' || name === 'checked') node[name] = value;
  else node.setAttribute(name, value === true ? '' : value);
}

function add(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(node, child);
    else if (child instanceof Node) node.append(child);
    else if (child !== null && child !== undefined && child !== false) node.append(String(child));
  }
}

/** Puts other children into an element. */
export function fill(node, ...children) {
  node.replaceChildren();
  add(node, children);
  return node;
}

/** Runs `work` once in the next frame, however often it is asked for until then, and at most every `gap` ms. */
export function coalesced(work, gap = 80) {
  let waiting = false;
  let last = -Infinity;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = () => {
      waiting = false;
      last = performance.now();
      work();
    };
    const wait = last + gap - performance.now();
    if (wait > 16) setTimeout(() => requestAnimationFrame(run), wait);
    else requestAnimationFrame(run);
  };
}

/** Waits with `work` until nothing has asked for it for `pause` ms. */
export function settled(work, pause = 250) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), pause);
  };
}

/** Text to the clipboard; says so on the button. */
export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'copied';
  } catch {
    button.textContent = 'not allowed here';
  }
  setTimeout(() => { button.textContent = before; }, 1200);
}

/** A value as the filter language wants it. */
export function quoted(value) {
  return /[\s,"'*?]/.test(value) ? `"${value.replaceAll('"', '')}"` : value;
}
