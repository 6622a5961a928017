// The worker behind highlight.js. A classic script, since the library's browser build is one.

const library = '/assets/lib/highlight.js';
const policy = self.trustedTypes?.createPolicy('parley-library', { createScriptURL: () => library });
importScripts(policy ? policy.createScriptURL('') : library);

self.addEventListener('message', ({ data: { id, text, language } }) => {
  const html = self.hljs.getLanguage(language)
    ? self.hljs.highlight(text, { language, ignoreIllegals: true }).value
    : null;
  self.postMessage({ id, html });
});
