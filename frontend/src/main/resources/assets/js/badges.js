// States as badges: a tone, a shape that tells them apart without colour, and a word.

import { h } from './dom.js';
import { t } from './i18n.js';

export const BACKEND_STATES = {
  up: { tone: 'good', shape: 'dot', text: 'backend.up' },
  'going-down': { tone: 'warn', shape: 'half', text: 'backend.going_down', moving: true },
  down: { tone: 'bad', shape: 'square', text: 'backend.down' },
  'coming-up': { tone: 'good', shape: 'half', text: 'backend.coming_up', moving: true },
  draining: { tone: 'calm', shape: 'half', text: 'backend.draining' },
  disabled: { tone: 'plain', shape: 'dash', text: 'backend.disabled' },
  'rate-limited': { tone: 'warn', shape: 'ring', text: 'backend.rate_limited' },
  misconfigured: { tone: 'bad', shape: 'diamond', text: 'backend.misconfigured' },
  ejected: { tone: 'bad', shape: 'ring', text: 'backend.ejected' },
};

export const SERVICE_STATES = {
  ready: { tone: 'good', shape: 'dot', text: 'service.ready' },
  'not-ready': { tone: 'warn', shape: 'half', text: 'service.not_ready' },
  down: { tone: 'bad', shape: 'square', text: 'service.down' },
};

function badge(states, state) {
  const { tone, shape, text, moving } = states[state] ?? { tone: 'plain', shape: 'ring', text: null };
  return h('span', { class: 'badge', dataset: { tone, shape, moving: moving ? '' : null } }, text ? t(text) : state);
}

export const stateBadge = (state) => badge(BACKEND_STATES, state);
export const serviceBadge = (state) => badge(SERVICE_STATES, state);
