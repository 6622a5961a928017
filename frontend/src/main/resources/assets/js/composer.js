// The box one writes in: grows with its text, keeps a draft per conversation, sends on Enter.

import { $ } from './dom.js';
import { isPlainEnter } from './keys.js';

const DRAFT_PAUSE_MS = 150;

const draftKey = (conversationId) => `parley.draft.${conversationId ?? 'new'}`;
const unsentKey = (conversationId) => `parley.unsent.${conversationId ?? 'new'}`;

export class Composer {
  #box = $('composer'); #send = $('send'); #stop = $('stop'); #draftKey = draftKey(null); #running = false; #pause = 0;

  constructor({ onSend, onStop }) {
    const send = () => {
      const text = this.#box.value.trim();
      if (text && !this.#running) onSend(text);
    };
    this.#send.addEventListener('click', () => { send(); this.focus(); });
    this.#stop.addEventListener('click', onStop);
    this.#box.addEventListener('keydown', (event) => {
      if (isPlainEnter(event) && !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        send();
      }
      if (event.key === 'Escape' && this.#running) onStop();
    });
    this.#box.addEventListener('input', () => this.#changed());
    $('composer-box').addEventListener('click', (event) => { if (event.target.id === 'composer-box' || event.target.classList.contains('composer-row')) this.focus(); });
    addEventListener('pagehide', () => this.#saveDraft());
  }

  /** Switches to the draft of a conversation, or of a new one. */
  show(conversationId) {
    this.#saveDraft();
    this.#draftKey = draftKey(conversationId);
    const draft = localStorage.getItem(this.#draftKey);
    this.value = draft ?? localStorage.getItem(unsentKey(conversationId)) ?? '';
    if (draft !== null) return;
    this.#saveDraft();
    this.forget(conversationId);
  }

  /** From now on drafts belong to this conversation, whose box is already on screen. */
  adopt(conversationId) {
    localStorage.removeItem(this.#draftKey);
    this.#draftKey = draftKey(conversationId);
  }

  get value() { return this.#box.value; }
  set value(text) {
    this.#box.value = text;
    this.#changed();
  }

  clear() { this.value = ''; this.#saveDraft(); }

  /** Keeps a text that could not be sent; it is back in the box when its conversation is opened anew. */
  keep(conversationId, text) { localStorage.setItem(unsentKey(conversationId), text); }
  /** Lets go of it once it was sent after all. */
  forget(conversationId) { localStorage.removeItem(unsentKey(conversationId)); }

  focus() { this.#box.focus({ preventScroll: true }); }

  /** The button follows the server's state of the newest answer, never a guess made here. */
  set running(running) {
    if (this.#running === running) return;
    const focused = document.activeElement === this.#send || document.activeElement === this.#stop;
    this.#running = running;
    this.#send.hidden = running;
    this.#stop.hidden = !running;
    if (focused) this.focus();
  }

  #changed() {
    this.#send.disabled = !this.#box.value.trim();
    if (!CSS.supports('field-sizing', 'content')) {
      this.#box.style.height = 'auto';
      this.#box.style.height = `${this.#box.scrollHeight}px`;
    }
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#saveDraft(), DRAFT_PAUSE_MS);
  }

  #saveDraft() {
    clearTimeout(this.#pause);
    if (this.#box.value) localStorage.setItem(this.#draftKey, this.#box.value);
    else localStorage.removeItem(this.#draftKey);
  }
}
