// A list of any length of which only the rows in sight are elements. It has a chosen row, which keys move.

import { coalesced, h } from './dom.js';

const OVER = 6;

export class List {
  /**
   * `row(item)` makes an element; it is made anew when `item.version` differs. `open(item)` is called for a row that is
   * clicked or entered, `more()` when the end comes into sight. `wide` rows are as wide as their text.
   */
  constructor({ height, label, row, open = null, more = null, wide = false }) {
    this.height = height;
    this.row = row;
    this.open = open;
    this.more = more;
    this.items = [];
    this.chosen = null;
    this.made = new Map();
    this.inner = h(`div.list-inner${wide ? '.wide' : ''}`);
    this.role = open ? 'option' : 'listitem';
    this.node = h('div.list', { role: open ? 'listbox' : 'list', tabindex: '0', 'aria-label': label, onscroll: () => this.draw() }, this.inner);
    this.draw = coalesced(() => this.render(), 40);
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.node);
  }

  /** Shows other items. Who has scrolled down keeps in sight what he looks at, though more comes in above. */
  show(items) {
    const at = Math.floor(this.node.scrollTop / this.height);
    const anchor = at > 0 ? this.items[at] : null;
    this.items = items;
    if (anchor) {
      const now = items.findIndex((item) => item.id === anchor.id);
      if (now > 0 && now !== at) {
        this.inner.style.height = items.length * this.height + 'px';
        this.node.scrollTop += (now - at) * this.height;
      }
    }
    this.draw();
  }

  render() {
    const { items, height, node } = this;
    const first = Math.max(0, Math.floor(node.scrollTop / height) - OVER);
    const last = Math.min(items.length, Math.ceil((node.scrollTop + node.clientHeight) / height) + OVER);
    this.inner.style.height = items.length * height + 'px';
    const made = new Map();
    for (let at = first; at < last; at += 1) {
      const item = items[at];
      let known = this.made.get(item.id);
      if (!known || known.version !== item.version) {
        const element = this.row(item);
        element.classList.add('row');
        element.setAttribute('role', this.role);
        element.id = 'row-' + item.id;
        if (this.open) element.addEventListener('click', () => { this.choose(item); this.open(item); });
        if (known) known.element.replaceWith(element);
        else this.inner.append(element);
        known = { element, version: item.version };
      }
      const { element } = known;
      if (known.at !== at) {
        known.at = at;
        element.style.transform = `translateY(${at * height}px)`;
        element.setAttribute('aria-posinset', at + 1);
      }
      element.setAttribute('aria-setsize', items.length);
      if (this.open) element.setAttribute('aria-selected', item.id === this.chosen);
      made.set(item.id, known);
    }
    for (const [id, known] of this.made) if (!made.has(id)) known.element.remove();
    this.made = made;
    if (this.open) this.node.setAttribute('aria-activedescendant', made.has(this.chosen) ? 'row-' + this.chosen : '');
    if (this.more && last >= items.length - 20) this.more();
  }

  choose(item) {
    this.chosen = item ? item.id : null;
    this.draw();
  }

  /** Chooses the row `by` rows further, and brings it into sight. */
  move(by) {
    if (!this.items.length) return null;
    const now = this.items.findIndex((item) => item.id === this.chosen);
    const last = this.items.length - 1;
    const at = now < 0 ? (by > last ? last : 0) : Math.min(last, Math.max(0, now + by));
    const top = at * this.height;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top + this.height > this.node.scrollTop + this.node.clientHeight) {
      this.node.scrollTop = top + this.height - this.node.clientHeight;
    }
    this.choose(this.items[at]);
    return this.items[at];
  }

  get chosenItem() {
    return this.items.find((item) => item.id === this.chosen) || null;
  }

  close() {
    this.watcher.disconnect();
  }
}
