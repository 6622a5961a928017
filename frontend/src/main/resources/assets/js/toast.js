// Short messages at the foot of the page.

import { $, h } from './dom.js';
import { icon } from './icons.js';

export function toast(text, tone = 'plain') {
  const element = h('div', { class: 'toast', dataset: { tone } }, icon(tone === 'bad' ? 'warning' : 'check'), h('span', {}, text));
  $('toasts').append(element);
  setTimeout(() => element.remove(), tone === 'bad' ? 7_000 : 3_000);
}

export function toastProblem(problem) {
  toast(problem.message, 'bad');
}
