// A side note: something to know that is not content.

import { h } from './dom.js';

export function note(tone, iconName, text, ...buttons) {
  return h('div', { class: 'note', dataset: { tone }, role: tone === 'bad' ? 'alert' : null },
    h('span', { 'data-icon': iconName, icon: iconName }), h('span', { class: 'note-text' }, text), buttons);
}
