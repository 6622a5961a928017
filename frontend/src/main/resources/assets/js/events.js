// Event streams that come back by themselves.

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 8_000;

/**
 * Keeps an EventSource open. The browser's own reconnection would use the address of the first
 * connection, whose `after` is stale, so a fresh one is opened each time from `address()`.
 */
export class LiveStream {
  #address; #handlers; #onConnection; #source = null; #timer = 0; #wait = FIRST_WAIT_MS; #closed = true;

  constructor(address, handlers, onConnection = () => {}) {
    this.#address = address;
    this.#handlers = handlers;
    this.#onConnection = onConnection;
  }

  open() {
    this.close();
    this.#closed = false;
    this.#connect();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  get isOpen() { return !this.#closed; }

  #connect() {
    const source = new EventSource(this.#address());
    this.#source = source;
    source.addEventListener('open', () => {
      this.#wait = FIRST_WAIT_MS;
      this.#onConnection(true);
    });
    source.addEventListener('error', () => {
      if (this.#source !== source) return;
      source.close();
      this.#onConnection(false);
      // Spread out, so that a restarted server is not met by every tab at once.
      this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    });
    for (const [name, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(name, (event) => {
        if (this.#source !== source) return;
        handle(JSON.parse(event.data || '{}'), event.lastEventId);
      });
    }
  }
}
