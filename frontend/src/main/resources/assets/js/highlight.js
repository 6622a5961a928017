// Colours for code, made in a worker that is started by the first block that needs it.

const LONGEST = 50_000;

let worker = null;
let count = 0;
const waiting = new Map();

/** Colours a code element; `clean` turns the worker's markup into safe nodes. */
export function highlight(code, language, clean) {
  const text = code.textContent;
  if (text.length > LONGEST) return;
  worker ??= start();
  const id = ++count;
  waiting.set(id, (html) => {
    if (code.textContent === text) code.replaceChildren(clean(html));
  });
  worker.postMessage({ id, text, language });
}

function start() {
  const address = new URL('./highlight-worker.js', import.meta.url).href;
  // The policy makes exactly one address, this file's neighbour.
  const policy = globalThis.trustedTypes?.createPolicy('parley-worker', { createScriptURL: () => address });
  const started = new Worker(policy ? policy.createScriptURL('') : address);
  started.addEventListener('message', ({ data: { id, html } }) => {
    if (html) waiting.get(id)?.(html);
    waiting.delete(id);
  });
  return started;
}
