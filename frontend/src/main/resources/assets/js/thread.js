// The scrolling column of messages: follows the newest text unless the reader scrolled away, and
// takes in earlier pages at its top.

import { $, h } from './dom.js';
import { t } from './i18n.js';
import { MessageView } from './message.js';

/** This close to the end counts as being there. */
const NEAR_END_PX = 80;

export class Thread {
  #scroller = $('thread'); #column = $('messages'); #jump = $('jump'); #views = new Map(); #actions; #following = true; #earlier = null; #loadEarlier;

  constructor({ actions, loadEarlier }) {
    this.#actions = actions;
    this.#loadEarlier = loadEarlier;
    this.#scroller.addEventListener('scroll', () => {
      this.#following = this.#distance() < NEAR_END_PX;
      this.#jump.hidden = this.#following;
    }, { passive: true });
    this.#jump.addEventListener('click', () => this.toEnd(true));
    new ResizeObserver(() => { if (this.#following) this.toEnd(); }).observe(this.#column);
    new ResizeObserver(() => { if (this.#following) this.toEnd(); }).observe(this.#scroller);
    this.#jump.hidden = true;
  }

  /** Shows exactly these messages; views of messages that stay are kept. */
  reset(messages, hasEarlier) {
    const wanted = new Set(messages.map((message) => message.id));
    for (const [id, view] of this.#views) {
      if (wanted.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
    let previous = null;
    for (const message of messages) {
      const view = this.#views.get(message.id);
      if (view) view.update(message);
      const element = (view ?? this.#create(message)).element;
      if (previous ? previous.nextSibling !== element : this.#column.firstChild !== element) {
        if (previous) previous.after(element);
        else this.#column.prepend(element);
      }
      previous = element;
    }
    this.#drawEarlier(hasEarlier);
    this.#markLast();
    if (this.#following) this.toEnd();
  }

  clear() {
    this.#views.clear();
    this.#column.replaceChildren();
    this.#earlier = null;
    this.#following = true;
    this.#jump.hidden = true;
  }

  prepend(messages, hasEarlier) {
    const before = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    const anchor = [...this.#views.values()][0]?.element ?? null;
    const older = messages.map((message) => [message.id, new MessageView(message, this.#actions)]);
    for (const [, view] of older) this.#column.insertBefore(view.element, anchor);
    this.#views = new Map([...older, ...this.#views]);
    this.#drawEarlier(hasEarlier);
    this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
  }

  changed(message, isNew) {
    const known = this.#views.get(message.id);
    if (known) known.update(message);
    else {
      const view = this.#create(message);
      this.#column.append(view.element);
      if (isNew) view.element.classList.add('fresh');
    }
    this.#markLast();
    if (this.#following) this.toEnd();
  }

  appended(message) { this.#views.get(message.id)?.grow(); }

  /** A view that stood for a message before the server had it now stands for the real one. */
  replace(oldId, message) {
    const view = this.#views.get(oldId);
    if (!view || this.#views.has(message.id)) { this.drop(oldId); this.changed(message, false); return; }
    this.#views.delete(oldId);
    this.#views.set(message.id, view);
    view.update(message);
  }

  drop(id) {
    this.#views.get(id)?.element.remove();
    this.#views.delete(id);
    this.#markLast();
  }

  has(id) { return this.#views.has(id); }

  toEnd(smooth = false) {
    this.#following = true;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
  }

  #create(message) {
    const view = new MessageView(message, this.#actions);
    view.onGrown = () => { if (this.#following) this.toEnd(); };
    this.#views.set(message.id, view);
    return view;
  }

  #markLast() {
    const views = [...this.#views.values()];
    views.forEach((view, i) => { view.isLast = i === views.length - 1; });
  }

  #drawEarlier(hasEarlier) {
    if (!hasEarlier) { this.#earlier?.remove(); this.#earlier = null; return; }
    if (this.#earlier) { this.#column.prepend(this.#earlier); return; }
    const button = h('button', { type: 'button', class: 'button small earlier', onclick: () => this.#askEarlier(button) }, t('chat.earlier'));
    this.#earlier = button;
    this.#column.prepend(button);
    new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting) && this.#scroller.scrollTop < 400) this.#askEarlier(button); },
      { root: this.#scroller, rootMargin: '200px' }).observe(button);
  }

  async #askEarlier(button) {
    if (button.disabled) return;
    button.disabled = true;
    try { await this.#loadEarlier(); } finally { button.disabled = false; }
  }

  #distance() { return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight; }
}
