// One conversation as the server tells it: its messages, the events that change them, and the
// repair of what was missed. Knows nothing of the page.
//
// Every event has a number: ordinal * 2^24 + position, where position is the length of the
// answer's text after it, or 2^24 - 1 once the answer is final. So "where am I" is computable
// from the messages alone, and a gap shows in a delta's offset.

import { call, get } from './api.js';
import { LiveStream } from './events.js';

const SPAN = 2 ** 24;
const FINAL = SPAN - 1;
const PAGE = 60;
/** While an answer runs the server says something at least every 10 s; EventSource hides the comments. */
const SILENCE_MS = 30_000;

const RUNNING = new Set(['queued', 'generating', 'recovering']);
export const isRunning = (message) => RUNNING.has(message?.state);

export class Conversation {
  #listener; #stream; #seq = 0; #messages = []; #next = null; #repairing = null; #lastHeard = 0; #watchdog = 0; #closed = false;

  /**
   * @param listener {reset(messages), changed(message, isNew), appended(message), info(conversation),
   *   gone(), connection(ok), problem(problem)}
   */
  constructor(id, listener) {
    this.id = id;
    this.info = null;
    this.#listener = listener;
    this.#stream = new LiveStream(
      () => `${this.#path}/events?after=${this.#seq}`,
      {
        message: (data, seq) => this.#heard(seq, () => this.#onMessage(data.message)),
        delta: (data, seq) => this.#heard(seq, () => this.#onDelta(data)),
        state: (data, seq) => this.#heard(seq, () => this.#onState(data)),
        conversation: (data, seq) => this.#heard(seq, () => this.#onInfo(data.conversation)),
        deleted: () => this.#listener.gone(),
      },
      (ok) => { this.#lastHeard = performance.now(); this.#listener.connection(ok); });
    this.#watchdog = setInterval(() => this.#watch(), 5_000);
  }

  get #path() { return `/api/conversations/${encodeURIComponent(this.id)}`; }
  get messages() { return this.#messages; }
  get last() { return this.#messages.at(-1) ?? null; }
  get running() { return isRunning(this.last) ? this.last : null; }
  get hasEarlier() { return this.#next !== null && this.#next !== undefined; }

  /** Fetches record and newest messages, then follows the events. */
  async load() {
    const [info] = await Promise.all([get(this.#path), this.#fetchNewest()]);
    if (this.#closed) return;
    this.#onInfo(info.conversation ?? info);
    this.#listener.reset(this.#messages);
    this.resume();
  }

  resume() { if (!this.#closed) this.#stream.open(); }
  pause() { this.#stream.close(); }
  get isLive() { return this.#stream.isOpen; }

  close() {
    this.#closed = true;
    this.#stream.close();
    clearInterval(this.#watchdog);
  }

  /** Loads the page before the first message; gives the messages it brought. */
  async loadEarlier() {
    const before = this.#next;
    const page = await get(`${this.#path}/messages?limit=${PAGE}&before=${encodeURIComponent(before)}`);
    this.#next = page.next ?? null;
    const known = new Set(this.#messages.map((message) => message.id));
    const older = visible(page.messages).filter((message) => !known.has(message.id));
    this.#messages = [...older, ...this.#messages];
    return older;
  }

  /** Sends a message; the same clientId again is harmless. */
  async send(clientId, content, options) {
    const { data } = await call('POST', `${this.#path}/messages`, { body: { client_id: clientId, content, ...options } });
    if (this.#closed) return;
    this.#adopt(data.message);
    this.#adopt(data.generation?.message);
    this.#ensureLive();
    // The server names a conversation after its first message.
    if (!this.info?.title) get(this.#path).then((info) => this.#onInfo(info.conversation ?? info)).catch(() => {});
  }

  async stop() { await call('POST', `${this.#path}/stop`, { body: {} }); }

  async regenerate(clientId, messageId) {
    await call('POST', `${this.#path}/regenerate`, { body: { client_id: clientId, message_id: messageId } });
    await this.repair();
  }

  async edit(clientId, messageId, content) {
    await call('POST', `${this.#path}/messages/${encodeURIComponent(messageId)}/edit`, { body: { client_id: clientId, content } });
    await this.repair();
  }

  /** Fetches the newest messages again and goes on from there. Runs once however often asked. */
  repair() {
    this.#repairing ??= this.#repairNow().finally(() => { this.#repairing = null; });
    return this.#repairing;
  }

  async #repairNow() {
    this.#stream.close();
    try {
      await this.#fetchNewest();
      if (this.#closed) return;
      this.#listener.reset(this.#messages);
    } catch (problem) {
      if (!this.#closed) this.#listener.problem(problem);
    } finally {
      this.resume();
    }
  }

  async #fetchNewest() {
    const page = await get(`${this.#path}/messages?limit=${PAGE}`);
    this.#messages = visible(page.messages);
    this.#next = page.next ?? null;
    this.#seq = Math.max(0, ...page.messages.map(sequence));
  }

  #heard(seq, act) {
    this.#lastHeard = performance.now();
    act();
    const number = Number(seq);
    if (number > this.#seq) this.#seq = number;
  }

  #onInfo(info) {
    if (!info || this.#closed) return;
    this.info = info;
    this.#listener.info(info);
  }

  #onMessage(message) {
    if (!message) return;
    const known = this.#find(message.id);
    // An edit or a new attempt replaced part of the thread: the newest page says what is left.
    if (message.superseded_by) { if (known) this.repair(); return; }
    if (!known && this.last && message.ordinal < this.last.ordinal) { this.repair(); return; }
    if (!known && this.last && message.role === this.last.role) { this.repair(); return; }
    this.#adopt(message);
  }

  #onDelta({ message_id: id, offset, text }) {
    const message = this.#find(id);
    if (!message) { this.repair(); return; }
    if (offset > message.content.length) { this.repair(); return; }
    const overlap = message.content.slice(offset, offset + text.length);
    if (!text.startsWith(overlap)) { this.repair(); return; }
    if (overlap.length === text.length) return;
    message.content += text.slice(overlap.length);
    if (message.state === 'queued') message.state = 'generating';
    this.#listener.appended(message);
  }

  #onState({ message_id: id, state, message }) {
    if (message) { this.#adopt({ ...message, state: message.state ?? state }); return; }
    const known = this.#find(id);
    if (!known) { this.repair(); return; }
    known.state = state;
    this.#listener.changed(known, false);
  }

  #adopt(message) {
    if (!message || message.superseded_by) return;
    const known = this.#find(message.id);
    if (!known) {
      message.content ??= '';
      this.#messages.push(message);
      this.#messages.sort((a, b) => a.ordinal - b.ordinal);
      this.#listener.changed(message, true);
      return;
    }
    if (isRunning(message)) {
      // A late answer of a call may not undo what events already said, and the stored text may lag.
      if (!isRunning(known)) return;
      const text = message.content ?? '';
      if (known.content.startsWith(text)) message.content = known.content;
    }
    Object.assign(known, message);
    this.#listener.changed(known, false);
  }

  #find(id) { return this.#messages.find((message) => message.id === id); }

  #ensureLive() { if (!this.#stream.isOpen && !this.#repairing) this.resume(); }

  #watch() {
    if (!this.running || !this.#stream.isOpen) return;
    if (performance.now() - this.#lastHeard > SILENCE_MS) {
      this.#lastHeard = performance.now();
      this.repair();
    }
  }
}

function visible(messages) {
  return messages
    .filter((message) => !message.superseded_by)
    .map((message) => ({ ...message, content: message.content ?? '' }))
    .sort((a, b) => a.ordinal - b.ordinal);
}

function sequence(message) {
  return message.ordinal * SPAN + (isRunning(message) ? (message.content ?? '').length : FINAL);
}
