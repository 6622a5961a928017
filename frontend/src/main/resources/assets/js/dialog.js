// Dialogs, confirmations and menus on the platform's own <dialog> and popover.

import { h, iconButton } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';

/** Opens a modal dialog and gives it; it leaves the page when closed. */
export function openDialog({ title, body, foot = [], kind = '', id = null, onclose = null }) {
  const dialog = h('dialog', { class: kind, id, 'aria-label': title },
    h('div', { class: 'dialog-head' }, h('h2', {}, title), iconButton('close', t('dialog.close'), () => dialog.close())),
    h('div', { class: 'dialog-body' }, body),
    foot.length ? h('div', { class: 'dialog-foot' }, foot) : null);
  dialog.addEventListener('close', () => { dialog.remove(); onclose?.(); });
  dialog.addEventListener('mousedown', (event) => { if (event.target === dialog && outside(dialog, event)) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function outside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

/** Asks; resolves true only when the action was confirmed. */
export function confirmDialog({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    let confirmed = false;
    const ok = h('button', { type: 'button', id: 'confirm-ok', class: `button ${danger ? 'danger' : 'primary'}`, onclick: () => { confirmed = true; dialog.close(); } }, action);
    const cancel = h('button', { type: 'button', id: 'confirm-cancel', class: 'button', onclick: () => dialog.close() }, t('dialog.cancel'));
    const dialog = openDialog({ title, body: [h('p', {}, text)], foot: [cancel, ok], onclose: () => resolve(confirmed) });
    ok.focus();
  });
}

/** Opens a menu at a button: [{icon, label, detail, checked, danger, disabled, action, run}] or {heading}. */
export function openMenu(anchor, items) {
  const menu = h('div', { class: 'menu', popover: 'auto', role: 'menu' }, items.map((item) => (item.heading
    ? h('div', { class: 'menu-heading' }, item.heading)
    : h('button', {
      type: 'button',
      role: item.checked === undefined ? 'menuitem' : 'menuitemradio',
      'aria-checked': item.checked === undefined ? null : String(item.checked),
      disabled: item.disabled,
      'data-danger': item.danger,
      'data-action': item.action,
      onclick: () => { menu.hidePopover(); item.run(); },
    }, item.icon ? icon(item.icon) : null, h('span', {}, item.label, item.detail ? h('span', { class: 'menu-detail' }, item.detail) : null)))));
  document.body.append(menu);
  menu.addEventListener('toggle', (event) => {
    if (event.newState !== 'closed') return;
    menu.remove();
    anchor.setAttribute('aria-expanded', 'false');
  });
  menu.addEventListener('keydown', (event) => moveFocus(menu, event));
  menu.showPopover();
  place(menu, anchor);
  anchor.setAttribute('aria-expanded', 'true');
  menu.querySelector('button:not(:disabled)')?.focus({ preventScroll: true });
}

function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - size.width - 8));
  const below = at.bottom + 6;
  const top = below + size.height > innerHeight - 8 ? Math.max(8, at.top - size.height - 6) : below;
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}

function moveFocus(menu, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...menu.querySelectorAll('button:not(:disabled)')];
  const at = buttons.indexOf(document.activeElement);
  buttons[(at + step + buttons.length) % buttons.length]?.focus();
}
