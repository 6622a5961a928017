// The backends page: one dense row each, live.

import { call, get, post, remove } from './api.js';
import { $, h } from './dom.js';
import { icon } from './icons.js';
import { ago, decimal, duration, number, percent, t } from './i18n.js';
import { startShell } from './shell.js';
import { confirmDialog, openMenu } from './dialog.js';
import { LiveStream } from './events.js';
import { toast, toastProblem } from './toast.js';
import { note } from './note.js';
import { openBackendForm, testResult } from './backend-form.js';
import { openDialog } from './dialog.js';
import { stateBadge } from './badges.js';

const rows = new Map();
let models = [];

async function refresh() {
  const { backends } = await get('/api/backends');
  rows.clear();
  for (const backend of backends) rows.set(backend.id, backend);
  draw();
}

function draw() {
  const all = [...rows.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  drawSummary(all);
  const empty = all.length === 0;
  $('backends-table').hidden = empty;
  $('backends-empty').hidden = !empty;
  if (empty) {
    $('backends-empty').replaceChildren(
      h('div', { class: 'empty-art' }, icon('server')),
      h('h2', {}, t('backends.empty_title')),
      h('p', {}, t('backends.empty_text')),
      h('button', { type: 'button', class: 'button primary', onclick: () => edit(null) }, icon('plus'), t('backends.add')));
    return;
  }
  // Rebuilding under an open tooltip or a moving pointer is harmless; losing the focus is not.
  const focused = document.activeElement?.closest('tr')?.dataset.id;
  const action = document.activeElement?.dataset?.action;
  $('backends-table').replaceChildren(head(), h('tbody', {}, all.map(row)));
  if (focused && action) $('backends-table').querySelector(`tr[data-id="${CSS.escape(focused)}"] [data-action="${action}"]`)?.focus();
}

function drawSummary(all) {
  const up = all.filter((one) => one.status?.state === 'up').length;
  const sum = (pick) => all.reduce((total, one) => total + (pick(one) ?? 0), 0);
  const timed = all.filter((one) => one.status?.state === 'up' && one.status.first_token_ms);
  const firstToken = timed.length ? Math.min(...timed.map((one) => one.status.first_token_ms)) : null;
  const tile = (value, label, unit = null) => h('div', { class: 'tile' }, h('b', {}, value, unit ? h('small', {}, ` ${unit}`) : null), h('span', {}, label));
  $('summary').hidden = all.length === 0;
  $('summary').replaceChildren(
    tile(number(up), t('backends.tile_up'), t('backends.of', { n: number(all.length) })),
    tile(number(sum((one) => one.status?.in_flight)), t('backends.tile_in_flight')),
    tile(firstToken === null ? '–' : duration(firstToken), t('backends.tile_first_token')),
    tile(number(sum((one) => one.status?.requests)), t('backends.tile_requests')));
}

function head() {
  const column = (text, right = false) => h('th', { scope: 'col', class: right ? 'right' : null }, text);
  return h('thead', {}, h('tr', {},
    column(t('backends.name')), column(t('backends.state')), column(t('backends.check')), column(t('backends.in_flight'), true),
    column(t('backends.first_token'), true), column(t('backends.speed'), true), column(t('backends.success'), true),
    column(t('backends.share'), true), column(t('backends.weight'), true),
    h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, t('backends.actions')))));
}

const known = (value, format) => (value === null || value === undefined ? '–' : format(value));

function row(backend) {
  const status = backend.status ?? {};
  const cell = (label, ...content) => h('td', { class: 'right num', 'data-label': label }, ...content);
  const bar = h('i');
  bar.style.width = `${Math.round((status.share ?? 0) * 100)}%`;
  const limit = backend.max_concurrency;
  const shown = backend.models?.length ? backend.models : (status.models_discovered ?? []);
  return h('tr', { dataset: { id: backend.id, backendName: backend.name, state: status.state ?? 'disabled' } },
    h('td', { class: 'cell-name' },
      h('div', { class: 'backend-name' }, backend.name),
      h('div', { class: 'backend-url', title: `${backend.base_url}\n${shown.join(', ')}` }, backend.base_url)),
    h('td', { class: 'cell-state' }, stateBadge(status.state ?? 'disabled'),
      status.last_error && status.state !== 'up' ? h('div', { class: 'backend-error', title: status.last_error }, status.last_error) : null),
    h('td', { 'data-label': t('backends.check'), class: 'num', title: status.last_probe_ms === null || status.last_probe_ms === undefined ? null : duration(status.last_probe_ms) }, known(status.last_probe_at, ago),
      status.last_probe_ms !== null && status.last_probe_ms !== undefined ? h('span', { class: 'muted probe-time' }, ` · ${duration(status.last_probe_ms)}`) : null),
    cell(t('backends.in_flight'), known(status.in_flight, number), h('span', { class: 'muted' }, limit ? ` / ${number(limit)}` : ' / ∞')),
    cell(t('backends.first_token'), known(status.first_token_ms, duration)),
    cell(t('backends.speed'), known(status.tokens_per_second, decimal)),
    cell(t('backends.success'), known(status.success_rate, percent)),
    cell(t('backends.share'), known(status.share, percent), h('div', { class: 'bar' }, bar)),
    cell(t('backends.weight'), decimal(backend.weight ?? 1)),
    h('td', { class: 'cell-actions right' }, actions(backend)));
}

function actions(backend) {
  const button = (name, iconName, label, run) => h('button', { type: 'button', class: 'icon-button small', icon: iconName, title: label, 'aria-label': `${label}: ${backend.name}`, 'data-action': name, onclick: run });
  return h('div', { class: 'row-actions' },
    button('edit', 'edit', t('backends.edit'), () => edit(backend)),
    button('delete', 'trash', t('backends.delete'), () => erase(backend)),
    button('more', 'more', t('backends.more'), (event) => openMenu(event.currentTarget, [
      { icon: 'play', label: t('backends.test'), action: 'test', run: () => test(backend) },
      backend.enabled && !backend.draining
        ? { icon: 'drain', label: t('backends.drain'), action: 'drain', run: () => drain(backend) }
        : { icon: 'play', label: t('backends.enable'), action: 'enable', run: () => operate(backend, 'enable') },
      backend.enabled ? { icon: 'pause', label: t('backends.disable'), action: 'disable', run: () => disable(backend) } : null,
    ].filter(Boolean))));
}

const address = (backend, rest = '') => `/api/backends/${encodeURIComponent(backend.id)}${rest}`;

function edit(backend) {
  openBackendForm(backend, { models, onSaved: (saved) => { toast(t('backends.saved', { name: saved?.name ?? '' })); refresh().catch(toastProblem); } });
}

async function operate(backend, operation) {
  try {
    await post(address(backend, `/${operation}`));
    await refresh();
  } catch (problem) { toastProblem(problem); }
}

async function drain(backend) {
  const share = backend.status?.share ?? 0;
  const others = [...rows.values()].filter((one) => one.id !== backend.id && one.status?.state === 'up').length;
  const text = others ? t('backends.drain_text', { name: backend.name, share: percent(share), n: number(others) }) : t('backends.drain_last', { name: backend.name });
  if (await confirmDialog({ title: t('backends.drain_title'), text, action: t('backends.drain'), danger: !others })) operate(backend, 'drain');
}

/** Changes one field of the newest record, so that nobody else's change is lost. */
async function disable(backend) {
  try {
    const { data, etag } = await call('GET', address(backend));
    const { name, provider, base_url: url, models: list, weight, max_concurrency: limit, tier, labels } = data;
    await call('PUT', address(backend), { etag, body: { name, provider, base_url: url, models: list, weight, max_concurrency: limit, tier, labels, enabled: false } });
    await refresh();
  } catch (problem) { toastProblem(problem); }
}

async function erase(backend) {
  const sure = await confirmDialog({ title: t('backends.delete_title'), text: t('backends.delete_text', { name: backend.name }), action: t('backends.delete') });
  if (!sure) return;
  try {
    await remove(address(backend));
    rows.delete(backend.id);
    draw();
  } catch (problem) { toastProblem(problem); }
}

async function test(backend) {
  const place = h('div', {}, h('div', { class: 'skeleton' }, t('form.testing')));
  openDialog({ title: t('form.test_of', { name: backend.name }), body: [place] });
  try {
    place.replaceChildren(testResult(await post(address(backend, '/test'))));
  } catch (problem) { place.replaceChildren(note('bad', 'warning', problem.message)); }
}

// Who would serve this?

const POLICIES = { 'weighted-least-latency': 'policy.weighted_least_latency', 'smooth-weighted-round-robin': 'policy.smooth_weighted_round_robin' };

async function loadModels() {
  ({ models } = await get('/api/models'));
  $('who-model').replaceChildren(h('option', { value: '' }, t('model.automatic')), ...models.map((one) => h('option', { value: one.id }, one.id)));
}

async function ask() {
  const model = $('who-model').value;
  const policy = $('who-policy').value;
  try {
    const answer = await post('/api/selections', { ...(model ? { model } : {}), ...(policy ? { policy } : {}) });
    const { candidates, unavailable } = answer;
    if (!candidates.length) {
      $('who-answer').replaceChildren(note('bad', 'warning', unavailable?.detail ?? t('who.nobody')));
      return;
    }
    $('who-answer').replaceChildren(h('ol', { class: 'candidates' }, candidates.map((one) => h('li', { class: 'candidate' },
      h('div', {}, h('strong', {}, one.name), ' ', h('span', { class: 'muted mono' }, one.model ?? '')),
      h('div', { class: 'score' }, one.score_ms === null || one.score_ms === undefined ? '' : t('who.score', { time: duration(one.score_ms) })),
      h('div', { class: 'why' }, one.reason ?? '')))));
  } catch (problem) { $('who-answer').replaceChildren(note('bad', 'warning', problem.message)); }
}

startShell();
$('add-backend').addEventListener('click', () => edit(null));
$('who-ask').addEventListener('click', ask);
$('who-policy').append(h('option', { value: '' }, t('policy.default')), ...Object.entries(POLICIES).map(([id, key]) => h('option', { value: id }, t(key))));

function showFailure(problem) {
  $('backends-table').hidden = true;
  $('summary').hidden = true;
  $('backends-empty').hidden = false;
  $('backends-empty').replaceChildren(
    h('div', { class: 'empty-art' }, icon('warning')),
    h('h2', {}, t('backends.unreachable_title')),
    h('p', {}, problem.message),
    h('button', { type: 'button', class: 'button', onclick: () => location.reload() }, icon('retry'), t('message.retry')));
}

let pending = 0;
function drawSoon() {
  pending ||= requestAnimationFrame(() => { pending = 0; draw(); });
}

const live = new LiveStream(() => '/api/events', {
  backend: (backend) => { rows.set(backend.id, { ...rows.get(backend.id), ...backend }); drawSoon(); },
  removed: ({ id }) => { rows.delete(id); drawSoon(); },
}, (ok) => { if (ok) refresh().catch(() => {}); });

refresh().then(() => {
  if (location.hash === '#add') { history.replaceState(null, '', location.pathname); edit(null); }
}).catch(showFailure);
live.open();
loadModels().catch(() => {});
// "3 s ago" ages without an event.
setInterval(() => { if (!document.hidden && rows.size) draw(); }, 5_000);
