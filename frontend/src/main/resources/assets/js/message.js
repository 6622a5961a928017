// One message on the page. It draws what the server says and offers what can be done.

import { h, iconButton, copyText } from './dom.js';
import { icon } from './icons.js';
import { dateTime, decimal, duration, number, t } from './i18n.js';
import { MarkdownView } from './markdown.js';
import { isRunning } from './conversation.js';
import { isPlainEnter } from './keys.js';
import { note } from './note.js';

/** Failures that people may well meet, in the page's language; the rest is told in the server's words. */
const FAILED = { 'all-down': 'error.all_down', 'no-backends': 'chat.no_backends_title' };

const WAITING = { queued: 'state.queued', generating: 'state.generating', recovering: 'state.recovering' };

export class MessageView {
  #message; #actions; #body; #status; #notes; #foot; #view = null; #dirty = false; #isLast = false; #footKey = '';

  /** @param actions {regenerate(message), edit(message, text), retry(message)} */
  constructor(message, actions) {
    this.#message = message;
    this.#actions = actions;
    this.#body = h('div', { class: message.role === 'assistant' ? 'message-body markdown' : 'message-body' });
    this.#status = h('div', { class: 'message-status' });
    this.#notes = h('div', { class: 'message-notes' });
    this.#foot = h('div', { class: 'message-foot' });
    this.element = h('article', {
      class: 'message',
      dataset: { role: message.role, id: message.id },
      'aria-label': message.role === 'assistant' ? t('message.from_assistant') : t('message.from_you'),
    }, this.#body, this.#status, this.#notes, this.#foot);
    if (message.role === 'assistant') this.#view = new MarkdownView(this.#body);
    this.draw();
  }

  get message() { return this.#message; }

  set isLast(last) {
    if (this.#isLast === last) return;
    this.#isLast = last;
    this.#drawFoot();
  }

  /** Text grew: drawn once per frame, however many deltas arrive. */
  grow() {
    if (this.#dirty) return;
    this.#dirty = true;
    requestAnimationFrame(() => {
      this.#dirty = false;
      this.#drawText();
      this.onGrown?.();
    });
  }

  update(message) {
    this.#message = message;
    this.element.dataset.id = message.id;
    this.draw();
  }

  draw() {
    this.element.dataset.state = this.#message.state;
    this.element.toggleAttribute('data-pending', Boolean(this.#message.pending));
    this.element.setAttribute('aria-busy', String(isRunning(this.#message)));
    this.#drawText();
    this.#drawNotes();
    this.#drawFoot();
  }

  #drawText() {
    const { content, role, state } = this.#message;
    if (role !== 'assistant') {
      if (this.#body.textContent !== content) this.#body.textContent = content;
      return;
    }
    const running = isRunning(this.#message);
    this.element.dataset.state = state;
    this.#view.update(content.replaceAll('\r\n', '\n'), !running, this.#seams());
    this.#body.classList.toggle('caret', running && state === 'generating' && content.length > 0);
    this.#body.hidden = !content;
    const waiting = running && (!content || state === 'recovering');
    const key = waiting ? WAITING[state] : '';
    if (this.#status.dataset.key === key) return;
    this.#status.dataset.key = key;
    this.#status.replaceChildren(...(waiting
      ? [h('span', { class: 'thinking' }, h('span', { class: 'dots' }, h('i'), h('i'), h('i')), h('span', {}, t(key)))]
      : []));
  }

  /** Attempts after the first that began inside the text. */
  #takeovers() {
    return (this.#message.attempts ?? []).slice(1).filter((attempt) => attempt.offset > 0);
  }

  #seams() {
    return this.#takeovers().map((attempt) => ({ offset: attempt.offset, title: t('message.took_over', { backend: attempt.backend }) }));
  }

  #drawNotes() {
    const { error, context, state, pending } = this.#message;
    const notes = [];
    if (context?.dropped_messages > 0) notes.push(note('calm', 'info', t('message.dropped', { n: number(context.dropped_messages) })));
    if (state === 'stopped') notes.push(note('plain', 'stop', t('message.stopped')));
    if (state === 'failed' || error) {
      const text = FAILED[error?.type] ? t(FAILED[error.type]) : error?.message || t('message.failed');
      const again = error?.retryable === false ? null
        : h('button', { type: 'button', class: 'button small', 'data-action': 'retry', onclick: () => this.#actions.retry(this.#message) }, t('message.retry'));
      const add = error?.type === 'no-backends' ? h('a', { class: 'button small', href: '/backends#add' }, t('chat.no_backends_action')) : null;
      if (!pending) notes.push(note('bad', 'warning', text, add, again));
    }
    this.#notes.replaceChildren(...notes);
  }

  #drawFoot() {
    const message = this.#message;
    if (isRunning(message) || message.pending || message.unsent) { this.#footKey = ''; this.#foot.replaceChildren(); return; }
    const key = JSON.stringify([message.state, message.backend, message.usage, message.duration_ms, message.content.length, this.#isLast, message.attempts?.length]);
    if (key === this.#footKey) return;
    this.#footKey = key;
    this.#foot.replaceChildren(...(message.role === 'assistant' && message.backend && message.content ? [this.#servedBy()] : []), this.#actionBar());
  }

  #actionBar() {
    const message = this.#message;
    const bar = h('span', { class: 'message-actions' });
    if (message.content) {
      const copy = iconButton('copy', t('message.copy'), async () => {
        await copyText(message.content);
        copy.replaceChildren(icon('check'));
        setTimeout(() => copy.replaceChildren(icon('copy')), 1500);
      }, { 'data-action': 'copy' });
      bar.append(copy);
    }
    if (message.role === 'user') bar.append(iconButton('edit', t('message.edit'), () => this.#startEdit(), { 'data-action': 'edit' }));
    else if (this.#isLast && message.state !== 'failed') bar.append(iconButton('retry', t('message.regenerate'), () => this.#actions.regenerate(message), { 'data-action': 'regenerate' }));
    return bar;
  }

  #servedBy() {
    const { backend, model, duration_ms: total, first_token_ms: first, usage, created_at: at } = this.#message;
    // The one that wrote the beginning is named first; those that took over follow with their mark.
    const takeovers = this.#takeovers();
    const beginner = takeovers.length ? this.#message.attempts.findLast((attempt) => !attempt.offset)?.backend : null;
    const parts = [h('span', { class: 'backend' }, beginner ?? backend)];
    const add = (...nodes) => parts.push(h('span', { class: 'sep', 'aria-hidden': 'true' }, '·'), h('span', { class: 'num' }, ...nodes));
    if (model) add(model);
    if (total !== null && total !== undefined) add(duration(total));
    const tokens = usage?.completion_tokens;
    if (tokens) add(t(usage.estimated ? 'message.tokens_about' : 'message.tokens', { n: number(tokens) }));
    for (const attempt of takeovers) {
      parts.push(h('span', { class: 'takeover', title: t('message.took_over_at', { backend: attempt.backend, n: number(attempt.offset) }) },
        icon('takeover'), t('message.continued_on', { backend: attempt.backend })));
    }
    const speed = tokens && total > (first ?? 0) ? t('message.speed', { n: decimal(tokens / ((total - (first ?? 0)) / 1000)) }) : null;
    const title = [at ? dateTime(at) : null, first ? t('message.first_token', { time: duration(first) }) : null, speed].filter(Boolean).join('\n');
    return h('span', { class: 'served-by', title }, parts);
  }

  #startEdit() {
    const area = h('textarea', { name: 'edit', 'aria-label': t('message.edit'), value: this.#message.content });
    const close = () => { box.remove(); this.#body.hidden = false; this.#foot.hidden = false; };
    const save = () => {
      const text = area.value.trim();
      if (!text) return;
      close();
      if (text !== this.#message.content) this.#actions.edit(this.#message, text);
    };
    const box = h('div', { class: 'edit-box' }, area, h('div', { class: 'edit-row' },
      h('button', { type: 'button', class: 'button small', onclick: close }, t('dialog.cancel')),
      h('button', { type: 'button', class: 'button small primary', 'data-action': 'save-edit', onclick: save }, t('message.save_edit'))));
    area.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') { event.stopPropagation(); close(); }
      if (isPlainEnter(event) && !event.shiftKey) { event.preventDefault(); save(); }
    });
    this.#body.hidden = true;
    this.#foot.hidden = true;
    this.element.insertBefore(box, this.#status);
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }
}
