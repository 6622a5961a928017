// The list of conversations: search, rename, pin, delete.

import { get, patch, remove } from './api.js';
import { $, h } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';
import { confirmDialog, openMenu } from './dialog.js';
import { isPlainEnter } from './keys.js';
import { toastProblem } from './toast.js';

const PAGE = 40;
const SEARCH_PAUSE_MS = 180;
const DAY_MS = 86_400_000;

export class Sidebar {
  #root = $('conversations'); #search = $('conversation-search'); #rows = []; #next = null; #current = null; #open; #onDeleted; #asked = 0; #loaded = false; #failed = false;

  /** @param open called with an id when a conversation is chosen; onDeleted with a deleted one's id */
  constructor({ open, onDeleted }) {
    this.#open = open;
    this.#onDeleted = onDeleted;
    let pause = 0;
    this.#search.addEventListener('input', () => {
      clearTimeout(pause);
      pause = setTimeout(() => this.refresh(), SEARCH_PAUSE_MS);
    });
    this.#search.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#search.value) { event.stopPropagation(); this.#search.value = ''; this.refresh(); }
    });
    this.#root.addEventListener('scroll', () => {
      if (this.#next && this.#root.scrollTop + this.#root.clientHeight > this.#root.scrollHeight - 200) this.#more();
    });
    this.#root.append(...Array.from({ length: 5 }, () => h('div', { class: 'skeleton list-skeleton' })));
  }

  focusSearch() { this.#search.focus(); this.#search.select(); }

  set current(id) {
    this.#current = id;
    for (const row of this.#root.querySelectorAll('.conversation')) row.toggleAttribute('data-current', row.dataset.id === id);
  }

  async refresh() {
    const asked = ++this.#asked;
    try {
      const page = await get(this.#address());
      if (asked !== this.#asked) return;
      this.#rows = page.conversations;
      this.#next = page.next ?? null;
      this.#failed = false;
    } catch {
      if (asked !== this.#asked) return;
      this.#failed = true;
    }
    this.#loaded = true;
    this.#draw();
  }

  /** Takes a conversation's newer record into the list. */
  update(conversation) {
    const known = this.#rows.find((row) => row.id === conversation.id);
    if (known && known.title === conversation.title && known.pinned === conversation.pinned && known.updated_at === conversation.updated_at) return;
    if (known) Object.assign(known, conversation);
    else if (!this.#search.value) this.#rows.unshift(conversation);
    this.#draw();
  }

  #address(after) {
    const query = new URLSearchParams({ limit: PAGE });
    if (this.#search.value.trim()) query.set('q', this.#search.value.trim());
    if (after) query.set('after', after);
    return `/api/conversations?${query}`;
  }

  async #more() {
    const after = this.#next;
    this.#next = null;
    try {
      const page = await get(this.#address(after));
      const known = new Set(this.#rows.map((row) => row.id));
      this.#rows.push(...page.conversations.filter((row) => !known.has(row.id)));
      this.#next = page.next ?? null;
      this.#draw();
    } catch { this.#next = after; }
  }

  #draw() {
    if (!this.#loaded || this.#root.querySelector('input')) return;
    const groups = new Map();
    const sorted = [...this.#rows].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1));
    for (const row of sorted) {
      const name = row.pinned ? t('sidebar.pinned') : period(row.updated_at);
      groups.set(name, [...(groups.get(name) ?? []), row]);
    }
    const pinned = groups.get(t('sidebar.pinned'));
    const order = [...(pinned ? [[t('sidebar.pinned'), pinned]] : []), ...[...groups].filter(([, rows]) => rows !== pinned)];
    const scroll = this.#root.scrollTop;
    this.#root.replaceChildren(...order.flatMap(([name, rows]) => [
      h('div', { class: 'conversation-group' }, name), ...rows.map((row) => this.#row(row))]));
    if (this.#failed) this.#root.append(h('div', { class: 'list-note' }, t('sidebar.failed')));
    else if (!this.#rows.length) this.#root.append(h('div', { class: 'list-note' }, this.#search.value ? t('sidebar.nothing_found') : t('sidebar.empty')));
    this.#root.scrollTop = scroll;
  }

  #row(row) {
    const link = h('a', {
      href: `/c/${encodeURIComponent(row.id)}`,
      title: row.title,
      onclick: (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.#open(row.id);
      },
      ondblclick: () => this.#rename(row),
    }, row.title || t('chat.untitled'));
    const menu = h('button', {
      type: 'button', class: 'icon-button small', icon: 'more', 'aria-haspopup': 'menu', 'data-action': 'conversation-menu',
      'aria-label': t('sidebar.menu', { title: row.title || t('chat.untitled') }),
      onclick: (event) => openMenu(event.currentTarget, [
        { icon: 'edit', label: t('sidebar.rename'), action: 'rename', run: () => this.#rename(row) },
        { icon: 'pin', label: row.pinned ? t('sidebar.unpin') : t('sidebar.pin'), action: 'pin', run: () => this.#change(row, { pinned: !row.pinned }) },
        { icon: 'trash', label: t('sidebar.delete'), danger: true, action: 'delete', run: () => this.#delete(row) },
      ]),
    });
    const element = h('div', { class: 'conversation', dataset: { id: row.id } }, link, menu);
    element.toggleAttribute('data-current', row.id === this.#current);
    return element;
  }

  #rename(row) {
    // The list may have been drawn anew since the menu was opened.
    const element = this.#root.querySelector(`.conversation[data-id="${CSS.escape(row.id)}"]`);
    if (!element) return;
    const input = h('input', { type: 'text', name: 'title', maxlength: 200, value: row.title ?? '', 'aria-label': t('sidebar.rename') });
    let done = false;
    const finish = (save) => {
      if (done) return;
      done = true;
      input.remove();
      const title = input.value.trim();
      if (save && title && title !== row.title) this.#change(row, { title });
      else this.#draw();
    };
    input.addEventListener('keydown', (event) => {
      if (isPlainEnter(event)) finish(true);
      if (event.key === 'Escape') { event.stopPropagation(); finish(false); }
    });
    input.addEventListener('blur', () => finish(true));
    element.replaceChildren(input);
    input.focus();
    input.select();
  }

  async #change(row, change) {
    const apply = (values) => {
      // The list may have been fetched anew meanwhile, so the row is looked up each time.
      Object.assign(this.#rows.find((one) => one.id === row.id) ?? {}, values);
      this.#draw();
    };
    const before = Object.fromEntries(Object.keys(change).map((name) => [name, row[name]]));
    apply(change);
    try {
      await patch(`/api/conversations/${encodeURIComponent(row.id)}`, change);
      apply(change);
    } catch (problem) {
      apply(before);
      toastProblem(problem);
    }
  }

  async #delete(row) {
    const sure = await confirmDialog({ title: t('sidebar.delete_title'), text: t('sidebar.delete_text', { title: row.title || t('chat.untitled') }), action: t('sidebar.delete') });
    if (!sure) return;
    try {
      await remove(`/api/conversations/${encodeURIComponent(row.id)}`);
      this.#rows = this.#rows.filter((other) => other.id !== row.id);
      this.#draw();
      this.#onDeleted(row.id);
    } catch (problem) { toastProblem(problem); }
  }
}

function period(time) {
  const today = new Date().setHours(0, 0, 0, 0);
  const at = new Date(time).getTime();
  if (at >= today) return t('sidebar.today');
  if (at >= today - DAY_MS) return t('sidebar.yesterday');
  if (at >= today - 7 * DAY_MS) return t('sidebar.week');
  return t('sidebar.older');
}
