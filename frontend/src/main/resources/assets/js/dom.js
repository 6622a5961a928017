// Builds elements. Text only ever enters as text nodes, so no string becomes markup here.

import { icon } from './icons.js';

/**
 * h('button', { class: 'button', onclick: f, dataset: { id } }, 'Save')
 * Properties starting with "on" are listeners; null, undefined and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'dataset') setData(element, value);
    else if (name === 'value') element.value = value;
    else if (name === 'icon') element.append(icon(value));
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function setData(element, data) {
  for (const [key, value] of Object.entries(data)) {
    if (value !== null && value !== undefined) element.dataset[key] = value;
  }
}

export const $ = (id) => document.getElementById(id);

/** A button with only an icon; its label is its name and its tooltip. */
export function iconButton(name, label, onclick, extra = {}) {
  return h('button', { type: 'button', class: 'icon-button small', 'aria-label': label, title: label, onclick, icon: name, ...extra });
}

/** Says something to screen readers only. */
export function announce(text) {
  const region = $('announcer');
  region.textContent = '';
  requestAnimationFrame(() => { region.textContent = text; });
}

/** Copies, also where the clipboard API is missing because the page is not served over TLS. */
export async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const field = h('textarea', { class: 'visually-hidden', value: text });
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}

/** A random id; crypto.randomUUID exists only in secure contexts. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
