// Every component in every state, for the eye of whoever changes one.

import { $, h } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';
import { startShell } from './shell.js';
import { BACKEND_STATES, SERVICE_STATES, serviceBadge, stateBadge } from './badges.js';
import { confirmDialog, openMenu } from './dialog.js';
import { MessageView } from './message.js';
import { note } from './note.js';
import { openBackendForm, testResult } from './backend-form.js';
import { toast } from './toast.js';

const COLOURS = ['bg', 'bg-side', 'bg-raised', 'bg-sunken', 'bg-hover', 'bubble', 'line', 'text', 'muted', 'faint', 'accent', 'accent-soft', 'good', 'good-soft', 'warn', 'warn-soft', 'bad', 'bad-soft', 'calm', 'calm-soft'];

const MARKDOWN = `# 标题 Heading

A paragraph with **bold**, *italic*, \`code\`, ~~struck~~ and a [link](https://example.org). 中英文混排 mixed with English.

1. One
2. Two
   - nested
   - 嵌套

> 学而时习之，不亦说乎？

| name | value |
|---|---:|
| alpha | 1 |
| beta | 22 |

\`\`\`java
record Point(int x, int y) {
  // a comment
  String show() { return "(" + x + ", " + y + ")"; }
}
\`\`\`

![diagram](https://example.org/picture.png)`;

const base = { role: 'assistant', state: 'done', model: 'parley-demo', backend: 'demo-backend-2', created_at: '2026-01-01T00:00:00Z', first_token_ms: 180, duration_ms: 2350, usage: { prompt_tokens: 40, completion_tokens: 96, estimated: false }, attempts: [] };
const MESSAGES = [
  { id: 'p1', role: 'user', state: 'done', content: '数到 60 / count to 60' },
  { ...base, id: 'p2', content: MARKDOWN },
  { ...base, id: 'p3', content: '一 二 三 四 五 六 七 八 九 十', attempts: [{ backend: 'demo-backend-1', offset: 0 }, { backend: 'demo-backend-2', offset: 10 }] },
  { ...base, id: 'p4', state: 'queued', content: '' },
  { ...base, id: 'p5', state: 'generating', content: 'An answer that is still' },
  { ...base, id: 'p6', state: 'recovering', content: 'An answer whose backend died' },
  { ...base, id: 'p7', state: 'stopped', content: 'An answer that was' },
  { ...base, id: 'p8', state: 'failed', content: '', error: { message: 'All backends are down.', retryable: true }, context: { dropped_messages: 4 } },
];

function section(title, ...content) {
  return h('section', { class: 'card', dataset: { pattern: title } }, h('h2', {}, title), h('p', {}, ' '), h('div', { class: 'specimen' }, content));
}

function swatch(name) {
  const box = h('i');
  box.style.background = `var(--${name})`;
  return h('div', { class: 'swatch' }, box, name);
}

function button(label, kind = '', attributes = {}) {
  return h('button', { type: 'button', class: `button ${kind}`, ...attributes }, label);
}

startShell();
const nothing = { regenerate() {}, edit() {}, retry() {} };
$('patterns').append(
  section('Colours', COLOURS.map(swatch)),
  section('Buttons', button('Button'), button('Primary', 'primary'), button('Danger', 'danger'), button('Small', 'small'), button('Disabled', 'primary', { disabled: true }),
    h('button', { type: 'button', class: 'icon-button', icon: 'edit', 'aria-label': 'edit' }), h('button', { type: 'button', class: 'send', icon: 'send', 'aria-label': 'send' }), h('button', { type: 'button', class: 'send stop', icon: 'stop', 'aria-label': 'stop' })),
  section('Backend states', Object.keys(BACKEND_STATES).map(stateBadge)),
  section('Service states', Object.keys(SERVICE_STATES).map(serviceBadge)),
  section('Fields',
    h('label', { class: 'field' }, h('span', {}, 'Text'), h('input', { type: 'text', placeholder: 'placeholder' })),
    h('label', { class: 'field' }, h('span', {}, 'Invalid'), h('input', { type: 'text', value: 'ftp://x', 'aria-invalid': 'true' }), h('span', { class: 'field-error' }, 'base_url must be http or https')),
    h('label', { class: 'field' }, h('span', {}, 'Choice'), h('select', {}, h('option', {}, 'One'), h('option', {}, '二')))),
  section('Notes', ['plain', 'calm', 'good', 'warn', 'bad'].map((tone) => note(tone, 'info', `A side note, ${tone}`, button('Action', 'small')))),
  section('Overlays',
    button('Menu', '', { onclick: (event) => openMenu(event.currentTarget, [{ heading: 'Heading' }, { icon: 'edit', label: 'Item', run() {} }, { label: 'Checked', detail: 'detail', checked: true, run() {} }, { icon: 'trash', label: 'Danger', danger: true, run() {} }]) }),
    button('Confirm', '', { onclick: () => confirmDialog({ title: 'Delete it?', text: 'This cannot be undone.', action: t('backends.delete') }) }),
    button('Form', '', { onclick: () => openBackendForm(null, { onSaved() {} }) }),
    button('Toast', '', { onclick: () => toast('Saved') }),
    button('Bad toast', '', { onclick: () => toast('It did not work', 'bad') })),
  section('Test result', testResult({ reachable: true, latency_ms: 41, models: ['parley-demo'], streaming: true, continuation: true })),
  section('Empty', h('div', { class: 'empty' }, h('div', { class: 'empty-art' }, icon('server')), h('h2', {}, t('backends.empty_title')), h('p', {}, t('backends.empty_text')))),
  section('Messages', MESSAGES.map((message) => { const view = new MessageView(message, nothing); view.isLast = true; return view.element; })),
  section('Keys', h('kbd', {}, 'Ctrl'), h('kbd', {}, '/')),
  section('Loading', h('div', { class: 'skeleton swatch' }, ' ')));
