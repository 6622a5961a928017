// Calls of the services' JSON API. A failure is a Problem: what the server said, or what is known.

import { t } from './i18n.js';

const TIMEOUT_MS = 20_000;

/** What people may well meet, in the page's language; the rest is told in the server's words. */
const KNOWN = { 'service-unavailable': 'error.unavailable', 'outcome-unknown': 'error.outcome_unknown' };

export class Problem extends Error {
  constructor({ status, type = '', title = '', detail = '', field = null, retryAfter = null }) {
    super(detail || title || String(status));
    Object.assign(this, { status, type, title, detail, field, retryAfter });
  }
}

/** Sends a request and gives {data, etag}; throws a Problem. */
export async function call(method, path, { body, etag, signal } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(etag ? { 'If-Match': etag } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: 'no-store',
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Problem({ status: 0, detail: t('error.unreachable') });
  }
  const text = await response.text().catch((cause) => {
    if (signal?.aborted) throw cause;
    throw new Problem({ status: 0, detail: t('error.unreachable') });
  });
  const data = parse(text);
  if (!response.ok) {
    const said = data?.error && typeof data.error === 'object' ? { detail: data.error.message, type: data.error.type } : data;
    const known = KNOWN[String(said?.type ?? '').split('/').at(-1)];
    throw new Problem({
      ...(said && typeof said === 'object' ? said : {}),
      detail: (known && t(known)) || said?.detail || (response.status >= 500 ? t('error.server') : t('error.status', { status: response.status })),
      status: response.status,
      retryAfter: Number(response.headers.get('Retry-After')) || null,
    });
  }
  return { data, etag: response.headers.get('ETag') };
}

function parse(text) {
  try { return text ? JSON.parse(text) : null; } catch { return null; }
}

export const get = async (path, options) => (await call('GET', path, options)).data;
export const post = async (path, body = {}) => (await call('POST', path, { body })).data;
export const patch = async (path, body) => (await call('PATCH', path, { body })).data;
export const remove = async (path) => (await call('DELETE', path)).data;
