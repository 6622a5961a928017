// What a conversation is told besides its messages: model, system prompt, parameters. A new
// conversation's settings wait here until it exists.

import { $, h } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';
import { get, patch } from './api.js';
import { openDialog, openMenu } from './dialog.js';
import { toastProblem } from './toast.js';

const STORED = 'parley.settings.new';
const SAVE_PAUSE_MS = 500;
const EMPTY = { model: null, system_prompt: null, parameters: {} };

const PARAMETERS = [
  { name: 'temperature', label: 'settings.temperature', help: 'settings.temperature_help', min: 0, max: 2, step: 0.05 },
  { name: 'top_p', label: 'settings.top_p', help: 'settings.top_p_help', min: 0, max: 1, step: 0.05 },
];

export class Settings {
  #conversationId = null; #values = stored(); #models = []; #onModels; #pause = 0; #unsaved = {};

  constructor({ onModels }) {
    this.#onModels = onModels;
    $('model-picker').addEventListener('click', (event) => this.#pickModel(event.currentTarget));
    $('settings-open').addEventListener('click', () => this.#openPanel());
    this.#draw();
  }

  /** Settings to create a conversation with. */
  get values() { return this.#values; }

  /** Shows a conversation's settings, or those waiting for a new one. */
  show(conversation) {
    if (!conversation) {
      this.#conversationId = null;
      this.#values = stored();
    } else {
      this.#conversationId = conversation.id;
      this.#values = { model: conversation.model ?? null, system_prompt: conversation.system_prompt ?? null, parameters: conversation.parameters ?? {}, ...this.#unsaved };
    }
    this.#draw();
  }

  async loadModels() {
    const { models } = await get('/api/models');
    this.#models = models;
    this.#onModels(models);
    this.#draw();
    return models;
  }

  #change(change) {
    this.#values = { ...this.#values, ...change };
    this.#draw();
    if (!this.#conversationId) {
      localStorage.setItem(STORED, JSON.stringify(this.#values));
      return;
    }
    Object.assign(this.#unsaved, change);
    const id = this.#conversationId;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(async () => {
      const body = this.#unsaved;
      this.#unsaved = {};
      try { await patch(`/api/conversations/${encodeURIComponent(id)}`, body); } catch (problem) { toastProblem(problem); }
    }, SAVE_PAUSE_MS);
  }

  #draw() {
    const { model } = this.#values;
    $('model-name').textContent = model ?? t('model.automatic');
  }

  async #pickModel(anchor) {
    await this.loadModels().catch(toastProblem);
    const { model } = this.#values;
    openMenu(anchor, [
      { heading: t('model.pick') },
      { label: t('model.automatic'), detail: t('model.automatic_detail'), checked: !model, run: () => this.#change({ model: null }) },
      ...this.#models.map((one) => ({
        label: one.id,
        detail: one.available ? t('model.backends', { n: one.backends.length }) : t('model.unavailable'),
        checked: model === one.id,
        run: () => this.#change({ model: one.id }),
      })),
      { icon: 'server', label: t('model.manage'), run: () => { location.href = '/backends'; } },
    ]);
  }

  #openPanel() {
    const { system_prompt: prompt, parameters } = this.#values;
    const setParameter = (name, value) => {
      const next = { ...this.#values.parameters };
      if (value === null) delete next[name];
      else next[name] = value;
      this.#change({ parameters: next });
    };
    const area = h('textarea', { name: 'system_prompt', rows: 6, maxlength: 100_000, placeholder: t('settings.system_placeholder'), value: prompt ?? '', oninput: () => this.#change({ system_prompt: area.value.trim() ? area.value : null }) });
    const tokens = h('input', {
      type: 'number', name: 'max_tokens', min: 1, step: 1, placeholder: t('settings.model_default'), value: parameters.max_tokens ?? '',
      oninput: () => setParameter('max_tokens', tokens.value ? Math.max(1, Math.round(Number(tokens.value))) : null),
    });
    openDialog({
      title: t('settings.title'),
      kind: 'side',
      id: 'settings-panel',
      body: [
        h('p', {}, t('settings.lead')),
        h('label', { class: 'field' }, h('span', {}, t('settings.system')), area),
        ...PARAMETERS.map((parameter) => slider(parameter, parameters[parameter.name], (value) => setParameter(parameter.name, value))),
        h('label', { class: 'field' }, h('span', {}, t('settings.max_tokens')), tokens, h('span', { class: 'field-help' }, t('settings.max_tokens_help'))),
      ],
    });
  }
}

function slider({ name, label, help, min, max, step }, value, change) {
  const range = h('input', { type: 'range', min, max, step, 'aria-label': t(label), value: value ?? (max / 2) });
  const box = h('input', { type: 'number', name, min, max, step, placeholder: t('settings.auto'), 'aria-label': t(label), value: value ?? '' });
  range.addEventListener('input', () => { box.value = range.value; change(Number(range.value)); });
  box.addEventListener('input', () => {
    const wanted = box.value === '' ? null : Math.min(max, Math.max(min, Number(box.value)));
    if (wanted !== null) range.value = wanted;
    change(wanted);
  });
  return h('div', { class: 'field' }, h('span', {}, t(label)), h('div', { class: 'slider-row' }, range, box), h('span', { class: 'field-help' }, t(help)));
}

function stored() {
  try { return { ...EMPTY, ...JSON.parse(localStorage.getItem(STORED) ?? '{}') }; } catch { return { ...EMPTY }; }
}

/** The panel shown where there is nothing that could answer. */
export function noBackendsPanel() {
  return h('div', { class: 'note no-backends', dataset: { tone: 'warn' }, id: 'no-backends' },
    h('span', { 'data-icon': 'server' }, icon('server')),
    h('span', { class: 'note-text' }, h('strong', {}, t('chat.no_backends_title')), h('br'), t('chat.no_backends_text')),
    h('a', { class: 'button small', href: '/backends#add' }, t('chat.no_backends_action')));
}
