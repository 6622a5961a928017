// Keys: the one test for "Enter means send", and the shortcuts with their sheet.

import { h } from './dom.js';
import { t } from './i18n.js';
import { openDialog } from './dialog.js';

let compositionEndedAt = -Infinity;
document.addEventListener('compositionend', () => { compositionEndedAt = performance.now(); }, true);

/**
 * Whether this keydown is an Enter of the user's rather than the one that accepts a candidate of
 * an input method. Safari ends the composition first and then sends that Enter as keyCode 229, so
 * 229 counts as composing only right after a composition ended; some keyboards always send it.
 */
export function isPlainEnter(event) {
  if (event.key !== 'Enter' || event.isComposing) return false;
  return !(event.keyCode === 229 && performance.now() - compositionEndedAt < 100);
}

const mac = navigator.platform.startsWith('Mac');
const CONTROL = mac ? '⌘' : 'Ctrl';

/** Calls the action of a shortcut: [{key, shift, run}] with Ctrl, or the command key. */
export function shortcuts(list) {
  document.addEventListener('keydown', (event) => {
    if (!(mac ? event.metaKey : event.ctrlKey) || event.altKey || event.isComposing) return;
    const hit = list.find(({ key, shift = false }) => event.key.toLowerCase() === key && (shift === event.shiftKey || key === '/'));
    if (!hit) return;
    event.preventDefault();
    hit.run();
  });
}

export function showKeySheet() {
  const rows = [
    [['Enter'], t('keys.send')],
    [['Shift', 'Enter'], t('keys.newline')],
    [[CONTROL, 'Shift', 'O'], t('keys.new_chat')],
    [[CONTROL, 'K'], t('keys.search')],
    [[CONTROL, 'B'], t('keys.sidebar')],
    [['Esc'], t('keys.stop')],
    [[CONTROL, '/'], t('keys.sheet')],
  ];
  const grid = h('div', { class: 'shortcuts' }, rows.flatMap(([keys, text]) => [
    h('span', {}, text), h('span', { class: 'keys' }, keys.map((key) => h('kbd', {}, key)))]));
  openDialog({ title: t('keys.title'), body: [grid] });
}
