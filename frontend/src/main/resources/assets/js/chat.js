// The chat page: puts list, thread, composer and settings together around one conversation.

import { post } from './api.js';
import { $, announce, freshId, h } from './dom.js';
import { icon } from './icons.js';
import { language, t } from './i18n.js';
import { closeDrawer, startShell } from './shell.js';
import { Composer } from './composer.js';
import { Conversation, isRunning } from './conversation.js';
import { noBackendsPanel, Settings } from './settings.js';
import { Sidebar } from './sidebar.js';
import { Thread } from './thread.js';
import { toast, toastProblem } from './toast.js';

/** A hidden tab whose conversation rests gives its connection back; browsers allow only six per origin. */
const REST_AFTER_HIDDEN_MS = 20_000;

let conversation = null;
let unsent = null;
let sending = false;
let spoken = null;

const settings = new Settings({ onModels: (models) => drawWelcome(models) });
const composer = new Composer({ onSend: send, onStop: stop });
const sidebar = new Sidebar({ open: (id) => show(id, true), onDeleted: (id) => { if (conversation?.id === id) show(null, true); } });
const thread = new Thread({
  loadEarlier: async () => {
    const asked = conversation;
    if (!asked) return;
    await act(async () => {
      const older = await asked.loadEarlier();
      if (asked === conversation) thread.prepend(older, asked.hasEarlier);
    });
  },
  actions: {
    regenerate: (message) => act(() => conversation.regenerate(freshId(), message.id)),
    edit: (message, text) => act(() => conversation.edit(freshId(), message.id, text)),
    retry: (message) => (message.unsent ? resend() : act(() => conversation.regenerate(freshId(), message.id))),
  },
});

async function act(change) {
  try { await change(); } catch (problem) { toastProblem(problem); }
}

/** Opens a conversation, or the empty page for a new one. */
async function show(id, push) {
  closeDrawer();
  conversation?.close();
  conversation = null;
  unsent = null;
  spoken = null;
  if (push) history.pushState(null, '', id ? `/c/${encodeURIComponent(id)}` : '/');
  sidebar.current = id;
  composer.show(id);
  composer.running = false;
  settings.show(null);
  $('conversation-title').textContent = '';
  $('connection').hidden = true;
  thread.clear();
  setEmpty(!id);
  document.title = `${t('nav.chat')} · Parley`;
  if (!id) {
    settings.loadModels().catch(() => {});
    if (!matchMedia('(hover: none)').matches) composer.focus();
    return;
  }
  const opened = follow(id);
  try {
    await opened.load();
  } catch (problem) {
    if (conversation !== opened) return;
    if (problem.status === 404) {
      toast(t('chat.gone'), 'bad');
      history.replaceState(null, '', '/');
      show(null, false);
    } else {
      thread.clear();
      thread.changed({ id: 'problem', role: 'assistant', state: 'failed', content: '', unsent: true, reload: true, error: { message: problem.message, retryable: true } }, false);
    }
    return;
  }
  if (!matchMedia('(hover: none)').matches) composer.focus();
}

function follow(id) {
  const opened = new Conversation(id, {
    reset: (messages) => { thread.reset(messages, opened.hasEarlier); placeUnsent(); stateChanged(); },
    changed: (message, isNew) => {
      if (message.role === 'user' && unsent && (message.client_id === unsent.clientId || unsent.content === message.content)) {
        thread.replace(unsent.view.id, message);
        unsent = null;
      } else thread.changed(message, isNew);
      stateChanged();
    },
    appended: (message) => { thread.appended(message); stateChanged(); },
    info: (info) => {
      $('conversation-title').textContent = info.title ?? '';
      document.title = `${info.title || t('chat.untitled')} · Parley`;
      settings.show(info);
      sidebar.update(info);
    },
    gone: () => { if (conversation === opened) { toast(t('chat.gone')); show(null, true); sidebar.refresh(); } },
    connection: (ok) => { $('connection').hidden = ok; },
    problem: toastProblem,
  });
  conversation = opened;
  return opened;
}

function stateChanged() {
  const last = conversation?.last ?? null;
  composer.running = Boolean(conversation?.running);
  if (last?.role !== 'assistant') return;
  const phase = `${last.id} ${last.state}`;
  if (spoken === phase) return;
  const before = spoken;
  spoken = phase;
  if (last.state === 'recovering') announce(t('announce.recovering'));
  else if (isRunning(last) && !before?.startsWith(`${last.id} `)) announce(t('announce.started'));
  else if (!isRunning(last) && before?.startsWith(`${last.id} `)) {
    if (last.state === 'done') announce(t('announce.done'));
    else if (last.state === 'stopped') announce(t('announce.stopped'));
    else announce(t('announce.failed'));
    setTimeout(() => sidebar.refresh(), 400);
  }
}

async function send(text) {
  if (sending || conversation?.running) return;
  unsent = { clientId: freshId(), content: text, view: null, conversation };
  composer.clear();
  setEmpty(false);
  await deliver();
}

async function resend() {
  if (!unsent) { show(conversation?.id ?? null, false); sidebar.refresh(); return; }
  await deliver();
}

/**
 * Sends the waiting message; the same client id again is harmless, so this may be repeated. It goes
 * to the conversation it was written in, also when another one was opened meanwhile.
 */
async function deliver() {
  const waiting = unsent;
  sending = true;
  waiting.view = { id: `unsent-${waiting.clientId}`, role: 'user', state: 'done', content: waiting.content, pending: true, unsent: true };
  thread.changed(waiting.view, true);
  thread.toEnd();
  stateChanged();
  try {
    if (!waiting.conversation) {
      waiting.conversation = await create(waiting);
      composer.forget(null);
    }
    await waiting.conversation.send(waiting.clientId, waiting.content, { language });
    composer.forget(waiting.conversation.id);
  } catch (problem) {
    // Until the server has the text, this browser keeps it, also through a reload.
    composer.keep(waiting.conversation?.id ?? null, waiting.content);
    if (unsent !== waiting) { toastProblem(problem); return; }
    waiting.view = { ...waiting.view, pending: false, error: { message: t('chat.not_sent', { reason: problem.message }), retryable: true } };
    thread.changed(waiting.view, false);
  } finally {
    sending = false;
    composer.running = Boolean(conversation?.running);
    stateChanged();
  }
  if (unsent === waiting && !waiting.view.error) {
    thread.drop(waiting.view.id);
    unsent = null;
  }
}

/** Creates the conversation of a message, and shows it unless the reader went elsewhere meanwhile. */
async function create(waiting) {
  const { model, system_prompt: prompt, parameters } = settings.values;
  const created = await post('/api/conversations', {
    ...(model ? { model } : {}),
    ...(prompt ? { system_prompt: prompt } : {}),
    ...(Object.keys(parameters).length ? { parameters } : {}),
  });
  const record = created.conversation ?? created;
  sidebar.update(record);
  if (unsent !== waiting) {
    const elsewhere = new Conversation(record.id, {});
    elsewhere.close();
    return elsewhere;
  }
  history.pushState(null, '', `/c/${encodeURIComponent(record.id)}`);
  composer.adopt(record.id);
  const opened = follow(record.id);
  opened.info = record;
  settings.show(record);
  sidebar.current = record.id;
  return opened;
}

function placeUnsent() {
  if (!unsent?.view) return;
  if (thread.has(unsent.view.id)) thread.drop(unsent.view.id);
  thread.changed(unsent.view, false);
}

async function stop() {
  if (!conversation) return;
  await act(() => conversation.stop());
}

function setEmpty(empty) {
  $('main').toggleAttribute('data-empty', empty);
  $('welcome').hidden = !empty;
  $('suggestions').hidden = !empty;
}

const SUGGESTIONS = [
  { icon: 'chain', title: t('suggest.chain_title'), detail: t('suggest.chain_detail'), text: t('suggest.chain_text') },
  { icon: 'spark', title: t('suggest.what_title'), detail: t('suggest.what_detail'), text: t('suggest.what_text') },
  { icon: 'count', title: t('suggest.count_title'), detail: t('suggest.count_detail'), text: t('suggest.count_text') },
  { icon: 'edit', title: t('suggest.write_title'), detail: t('suggest.write_detail'), text: t('suggest.write_text') },
];

function drawWelcome(models = null) {
  const nobody = models !== null && models.length === 0;
  $('welcome').replaceChildren(...[
    h('img', { class: 'welcome-mark', src: '/assets/favicon.svg', alt: '' }),
    h('h2', {}, t('welcome.title')),
    h('p', {}, t('welcome.text')),
  ], ...(nobody ? [noBackendsPanel()] : []));
  // Nothing to try while nobody could answer.
  $('suggestions').hidden = nobody || !$('main').hasAttribute('data-empty');
  if ($('suggestions').childElementCount === 0) {
    $('suggestions').append(...SUGGESTIONS.map((one) => h('button', { type: 'button', class: 'suggestion', onclick: () => send(one.text) },
      h('span', { 'data-icon': one.icon }, icon(one.icon)), h('span', {}, h('strong', {}, one.title), h('small', {}, one.detail)))));
  }
}

function fromAddress() {
  const match = /^\/c\/([^/]+)/.exec(location.pathname);
  return match ? decodeURIComponent(match[1]) : null;
}

startShell([
  { key: 'o', shift: true, run: () => show(null, true) },
  { key: 'k', run: () => sidebar.focusSearch() },
]);
$('new-chat').addEventListener('click', () => show(null, true));
addEventListener('popstate', () => show(fromAddress(), false));
addEventListener('focus', () => sidebar.refresh());

let rest = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(rest);
  if (document.hidden) {
    rest = setTimeout(() => { if (conversation && !conversation.running) conversation.pause(); }, REST_AFTER_HIDDEN_MS);
  } else if (conversation && !conversation.isLive) conversation.resume();
});

drawWelcome();
sidebar.refresh();
show(fromAddress(), false);
