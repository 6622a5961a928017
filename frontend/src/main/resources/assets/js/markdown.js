// Markdown of a model, which nobody may trust: marked parses, DOMPurify cleans, and only then are
// there nodes. Links lead out with http(s) or mailto only; images are never fetched.

import { Lexer, Parser, Marked } from '../lib/marked.js';
import '../lib/purify.js';
import { h, iconButton, copyText } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';
import { highlight } from './highlight.js';

const purify = globalThis.DOMPurify(window);
const marked = new Marked({ gfm: true, breaks: true });
const options = marked.defaults;

/** Stands in the text where another backend took over; from Unicode's private use area. */
const SEAM = '\uE0F7';
const SEAM_IN_ADDRESS = /%EE%83%B7/gi;

const CLEAN = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: ['a', 'b', 'blockquote', 'br', 'code', 'del', 'details', 'div', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'i', 'img', 'input', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 's', 'strong', 'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'u', 'ul'],
  ALLOWED_ATTR: ['align', 'alt', 'checked', 'class', 'disabled', 'href', 'src', 'start', 'title', 'type'],
  ALLOW_DATA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
};

/** A fragment of clean nodes. */
function clean(html) {
  const fragment = purify.sanitize(html, CLEAN);
  for (const input of fragment.querySelectorAll('input')) {
    if (input.type === 'checkbox') input.disabled = true;
    else input.remove();
  }
  for (const link of fragment.querySelectorAll('a')) {
    const address = link.getAttribute('href')?.replace(SEAM_IN_ADDRESS, '');
    if (!address) { link.removeAttribute('href'); continue; }
    link.setAttribute('href', address);
    link.setAttribute('rel', 'noopener noreferrer');
    link.setAttribute('target', '_blank');
  }
  // The model's classes mean nothing here, save the language of a code block.
  for (const element of fragment.querySelectorAll('[class]')) {
    if (element.localName !== 'code') element.removeAttribute('class');
  }
  for (const image of fragment.querySelectorAll('img')) image.replaceWith(imageLink(image));
  for (const table of fragment.querySelectorAll('table')) {
    const wrap = h('div', { class: 'table-wrap' });
    table.replaceWith(wrap);
    wrap.append(table);
  }
  return fragment;
}

/** A picture of the model's choosing would tell its host who reads: it opens only when clicked. */
function imageLink(image) {
  const source = image.getAttribute('src')?.replace(SEAM_IN_ADDRESS, '') ?? '';
  const label = image.getAttribute('alt') || t('markdown.image');
  // Only what parses as an address becomes a link: "https://" alone does not.
  const host = /^https?:/i.test(source) && URL.canParse(source) ? new URL(source).host : null;
  if (!host) return document.createTextNode(label);
  return h('a', { class: 'image-link', href: source, target: '_blank', rel: 'noopener noreferrer', title: source },
    icon('image'), `${label} · ${host}`);
}

function dressCode(root, final) {
  for (const code of root.querySelectorAll('pre > code')) {
    const language = /language-([\w+#.-]+)/.exec(code.className)?.[1] ?? '';
    const copy = iconButton('copy', t('message.copy_code'), async () => {
      await copyText(code.textContent);
      copy.replaceChildren(icon('check'));
      setTimeout(() => copy.replaceChildren(icon('copy')), 1500);
    }, { 'data-action': 'copy-code' });
    const pre = code.parentElement;
    const box = h('div', { class: 'code' }, h('div', { class: 'code-head' }, h('span', {}, language || t('markdown.code')), copy));
    pre.replaceWith(box);
    box.append(pre);
    if (final && language) highlight(code, language, (html) => purify.sanitize(html, { RETURN_DOM_FRAGMENT: true, ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'] }));
  }
}

function placeSeams(root, title) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const hits = [];
  while (walker.nextNode()) if (walker.currentNode.data.includes(SEAM)) hits.push(walker.currentNode);
  for (const node of hits) {
    const parts = node.data.split(SEAM);
    const nodes = [parts[0]];
    for (const part of parts.slice(1)) nodes.push(h('span', { class: 'seam', title, role: 'img', 'aria-label': title }), part);
    node.replaceWith(...nodes);
  }
}

/**
 * A growing text in an element. Blocks that can no longer change are frozen; only the tail is
 * parsed again, so a long answer costs no more per token than a short one.
 */
export class MarkdownView {
  #root; #frozenLength = 0; #tail = null; #source = ''; #seams = [];

  constructor(root) { this.#root = root; }

  /** @param seams offsets where another backend took over, [{offset, title}] */
  update(text, final, seams = []) {
    // A model may write the seam's character itself; another of the same length keeps the offsets.
    const source = text.replaceAll(SEAM, '\uFFFD');
    const grew = source.startsWith(this.#source) && sameSeams(seams, this.#seams);
    // Link definitions may stand at the end and be used before it, so those texts end with one full parse.
    const definesLinks = final && /^ {0,3}\[[^\]]+\]:/m.test(source);
    if (!grew || definesLinks) this.#restart();
    this.#source = source;
    this.#seams = seams;
    const tail = withSeams(source.slice(this.#frozenLength), this.#frozenLength, seams);
    const tokens = Lexer.lex(tail, options);
    const frozen = final ? tokens.length : settled(tokens);
    this.#tail?.remove();
    this.#tail = null;
    if (frozen > 0) {
      const length = tokens.slice(0, frozen).reduce((sum, token) => sum + token.raw.replaceAll(SEAM, '').length, 0);
      this.#append(tokens.slice(0, frozen), tokens.links, true);
      this.#frozenLength += length;
    }
    const rest = tokens.slice(frozen);
    if (rest.length) this.#tail = this.#append(rest, tokens.links, false);
  }

  #restart() {
    this.#root.replaceChildren();
    this.#frozenLength = 0;
    this.#tail = null;
  }

  #append(tokens, links, final) {
    const list = Object.assign([...tokens], { links });
    const nodes = clean(Parser.parse(list, options));
    dressCode(nodes, final);
    if (this.#seams.length) placeSeams(nodes, this.#seams.at(-1).title);
    const group = new NodeGroup(nodes);
    this.#root.append(nodes);
    return group;
  }
}

/**
 * How many blocks at the start no further text can change. The last two may: after "1. one" a
 * lonely "2" is a paragraph, and with ". two" behind it the second item of that list.
 */
function settled(tokens) {
  const blocks = tokens.flatMap(({ type }, i) => (type === 'space' ? [] : [i]));
  return blocks.length > 2 ? blocks.at(-2) : 0;
}

/** The nodes of a fragment after it was put into the page. */
class NodeGroup {
  #nodes;
  constructor(fragment) { this.#nodes = [...fragment.childNodes]; }
  remove() { for (const node of this.#nodes) node.remove(); }
}

function sameSeams(a, b) {
  return a.length === b.length && a.every((seam, i) => seam.offset === b[i].offset);
}

function withSeams(text, start, seams) {
  let marked = text;
  for (const { offset } of [...seams].sort((a, b) => b.offset - a.offset)) {
    const at = offset - start;
    // A seam at the very end waits until text follows it.
    if (at >= 0 && at < text.length) marked = marked.slice(0, at) + SEAM + marked.slice(at);
  }
  return marked;
}
