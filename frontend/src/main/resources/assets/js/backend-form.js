// The dialog that adds or edits a backend: provider presets, a test before saving, and the
// server's complaint beside the field it names.

import { call, post } from './api.js';
import { h } from './dom.js';
import { duration, number, t } from './i18n.js';
import { openDialog } from './dialog.js';
import { note } from './note.js';

const PRESETS = [
  { id: 'openai', label: 'OpenAI', url: 'https://api.openai.com/v1', key: true },
  { id: 'deepseek', label: 'DeepSeek', url: 'https://api.deepseek.com/v1', key: true },
  { id: 'ollama', label: 'Ollama', url: 'http://127.0.0.1:11434/v1' },
  { id: 'vllm', label: 'vLLM', url: 'http://127.0.0.1:8000/v1' },
  { id: 'llama.cpp', label: 'llama.cpp', url: 'http://127.0.0.1:8080/v1' },
  { id: 'custom', label: t('form.custom'), url: '' },
];

export async function openBackendForm(backend, { onSaved }) {
  let etag = null;
  let record = backend;
  if (backend) {
    // The newest record and its version, so that two people editing cannot undo each other.
    ({ data: record, etag } = await call('GET', `/api/backends/${encodeURIComponent(backend.id)}`).catch(() => ({ data: backend, etag: null })));
  }
  let provider = record?.provider ?? 'openai';
  const fields = makeFields(record);
  const notes = h('div', { class: 'full', 'aria-live': 'polite' });
  const presets = h('div', { class: 'presets full', role: 'group', 'aria-label': t('form.provider') }, PRESETS.map((preset) => h('button', {
    type: 'button', class: 'preset', dataset: { preset: preset.id }, 'aria-pressed': String(provider === preset.id), onclick: () => choose(preset),
  }, preset.label)));

  function choose(preset) {
    const untouched = !fields.base_url.value || PRESETS.some((other) => other.url === fields.base_url.value);
    provider = preset.id;
    if (untouched) fields.base_url.value = preset.url;
    if (!record && (!fields.name.value || PRESETS.some((other) => other.id === fields.name.value))) fields.name.value = preset.id === 'custom' ? '' : preset.id;
    for (const button of presets.children) button.setAttribute('aria-pressed', String(button.dataset.preset === preset.id));
    (preset.key && !fields.api_key.value ? fields.api_key : fields.base_url).focus();
  }
  if (!record) fields.base_url.value = PRESETS[0].url;

  const cell = (name, label, help = null, full = false) => h('label', { class: full ? 'field full' : 'field' },
    h('span', {}, label), fields[name], h('span', { class: 'field-error', dataset: { for: name }, role: 'alert', hidden: true }), help ? h('span', { class: 'field-help' }, help) : null);
  const form = h('div', { class: 'form-grid' },
    presets,
    cell('name', t('form.name')),
    cell('models', t('form.models'), t('form.models_help')),
    cell('base_url', t('form.base_url'), t('form.base_url_help'), true),
    cell('api_key', t('form.api_key'), record?.api_key_last4 ? t('form.key_kept', { last4: record.api_key_last4 }) : t('form.key_help'), true),
    cell('weight', t('form.weight'), t('form.weight_help')),
    cell('max_concurrency', t('form.max_concurrency'), t('form.max_concurrency_help')),
    h('label', { class: 'check full' }, fields.enabled, t('form.enabled')),
    record?.api_key_last4 ? h('label', { class: 'check full' }, fields.remove_key, t('form.remove_key')) : null,
    notes);

  const testButton = h('button', { type: 'button', id: 'test-backend', class: 'button left', onclick: runTest }, t('form.test'));
  const saveButton = h('button', { type: 'button', id: 'save-backend', class: 'button primary', onclick: save }, t('form.save'));
  const dialog = openDialog({
    title: record ? t('form.edit_title', { name: record.name }) : t('backends.add'),
    kind: 'wide',
    id: 'backend-form',
    body: [form],
    foot: [testButton, h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, t('dialog.cancel')), saveButton],
  });
  fields.name.focus();

  function body() {
    const key = fields.api_key.value.trim();
    return {
      name: fields.name.value.trim(),
      provider,
      base_url: fields.base_url.value.trim().replace(/\/(chat\/completions)?\/*$/, ''),
      models: fields.models.value.split(/[,，\n]/).map((model) => model.trim()).filter(Boolean),
      weight: fields.weight.value === '' ? 1 : Number(fields.weight.value),
      max_concurrency: fields.max_concurrency.value === '' ? null : Number(fields.max_concurrency.value),
      enabled: fields.enabled.checked,
      ...(record ? { tier: record.tier, labels: record.labels } : {}),
      ...(key ? { api_key: key } : fields.remove_key.checked ? { api_key: null } : {}),
    };
  }

  function complain(problem) {
    clearComplaints();
    const field = fields[(problem.field ?? '').split(/[.[]/)[0]];
    if (!field) { notes.replaceChildren(note('bad', 'warning', problem.message)); return; }
    field.setAttribute('aria-invalid', 'true');
    const place = form.querySelector(`[data-for="${field.name}"]`);
    if (place) { place.textContent = problem.message; place.hidden = false; }
    field.focus();
  }

  function clearComplaints() {
    notes.replaceChildren();
    for (const field of Object.values(fields)) field.removeAttribute('aria-invalid');
    for (const place of form.querySelectorAll('.field-error')) place.hidden = true;
  }

  async function runTest() {
    clearComplaints();
    testButton.disabled = true;
    notes.replaceChildren(h('div', { class: 'skeleton' }, t('form.testing')));
    try {
      const unchanged = record && !fields.api_key.value && body().base_url === record.base_url;
      notes.replaceChildren(testResult(await (unchanged ? post(`/api/backends/${encodeURIComponent(record.id)}/test`) : post('/api/backends/test', body()))));
    } catch (problem) { complain(problem); } finally { testButton.disabled = false; }
  }

  async function save() {
    clearComplaints();
    saveButton.disabled = true;
    try {
      const { data } = record
        ? await call('PUT', `/api/backends/${encodeURIComponent(record.id)}`, { body: body(), etag })
        : await call('POST', '/api/backends', { body: body() });
      dialog.close();
      onSaved(data);
    } catch (problem) {
      if (problem.status === 412) complain({ message: t('form.changed_elsewhere') });
      else complain(problem);
    } finally { saveButton.disabled = false; }
  }
}

function makeFields(record) {
  const input = (name, attributes = {}) => h('input', { name, type: 'text', autocomplete: 'off', spellcheck: 'false', ...attributes });
  return {
    name: input('name', { maxlength: 100, value: record?.name ?? '' }),
    base_url: input('base_url', { type: 'url', inputmode: 'url', value: record?.base_url ?? '', placeholder: 'http://127.0.0.1:11434/v1' }),
    // "new-password" keeps browsers from offering or storing a site password here.
    api_key: input('api_key', { type: 'password', autocomplete: 'new-password', placeholder: record?.api_key_last4 ? `•••• ${record.api_key_last4}` : '' }),
    models: input('models', { value: (record?.models ?? []).join(', ') }),
    weight: input('weight', { type: 'number', min: 0.1, step: 0.1, value: record?.weight ?? 1 }),
    max_concurrency: input('max_concurrency', { type: 'number', min: 1, step: 1, value: record?.max_concurrency ?? '', placeholder: '∞' }),
    enabled: h('input', { name: 'enabled', type: 'checkbox', checked: record?.enabled ?? true }),
    remove_key: h('input', { name: 'remove_key', type: 'checkbox' }),
  };
}

/** What a test found, whatever subset of it the server tells. */
export function testResult(result) {
  const yesNo = (value) => (value === null || value === undefined ? t('form.unknown') : value ? t('form.yes') : t('form.no'));
  const models = result.models ?? [];
  const line = (label, value) => [h('dt', {}, label), h('dd', {}, value)];
  const latency = result.latency_ms ?? result.first_token_ms ?? null;
  return h('dl', { class: 'test-result', id: 'test-result', dataset: { reachable: String(Boolean(result.reachable)) } },
    h('div', { class: 'test-title' }, result.reachable ? t('form.reachable') : t('form.not_reachable')),
    result.error ? line(t('form.error'), typeof result.error === 'string' ? result.error : result.error.message ?? '') : [],
    latency === null ? [] : line(t('form.latency'), duration(latency)),
    line(t('form.models_found'), models.length ? `${number(models.length)} · ${models.slice(0, 12).join(', ')}${models.length > 12 ? ' …' : ''}` : t('form.none')),
    line(t('form.streaming'), yesNo(result.streaming)),
    line(t('form.continuation'), yesNo(result.continuation)));
}
