// The cluster page: first whether anything can be lost now, then why.

import { get } from './api.js';
import { $, h } from './dom.js';
import { bytes, clock, duration, number, t } from './i18n.js';
import { startShell } from './shell.js';
import { LiveStream } from './events.js';
import { serviceBadge } from './badges.js';

const REASONS = {
  'all-well': 'cluster.all_well',
  'no-spare': 'cluster.no_spare',
  split: 'cluster.split',
  'no-quorum': 'cluster.no_quorum',
  'no-answer': 'cluster.no_answer',
  'mixed-clusters': 'cluster.mixed_clusters',
  'at-risk': 'cluster.at_risk',
  single: 'cluster.single',
};

function draw(overview) {
  const { answer, kv, services, at } = overview;
  const up = kv.filter((node) => node.reachable);
  const silent = kv.filter((node) => !node.reachable).map((node) => node.node_id).join(', ');
  const key = REASONS[answer.reason];
  const sentence = key ? t(key, { up: number(up.length), n: number(kv.length), copies: number(Math.floor(kv.length / 2) + 1), silent }) : answer.sentence;
  $('verdict').dataset.level = answer.level;
  // Written only when it changes, so that a screen reader hears news and not a clock.
  if ($('verdict-answer').textContent !== sentence) $('verdict-answer').textContent = sentence;
  $('verdict-when').textContent = t('cluster.checked', { time: clock(at) });
  const risks = [...new Set(kv.flatMap((node) => node.at_risk ?? []))];
  $('risks').hidden = risks.length === 0;
  $('risk-list').replaceChildren(...risks.map((risk) => h('li', {}, risk)));
  $('nodes').replaceChildren(...kv.map(node));
  $('services').replaceChildren(
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('cluster.service')), h('th', { scope: 'col' }, t('cluster.state')), h('th', { scope: 'col', class: 'right' }, t('cluster.latency')), h('th', { scope: 'col' }, t('cluster.address')))),
    h('tbody', {}, services.map(service)));
}

function node(member) {
  const fact = (label, value) => (value === null || value === undefined ? [] : [h('dt', {}, label), h('dd', {}, value)]);
  const { quorum, members } = member;
  return h('div', { class: 'node', dataset: { node: member.node_id, reachable: String(member.reachable) } },
    h('div', { class: 'node-head' }, h('b', {}, member.node_id), serviceBadge(member.reachable ? 'ready' : 'down')),
    h('div', { class: 'url' }, member.url),
    member.reachable ? h('dl', { class: 'facts' },
      fact(t('cluster.latency'), duration(member.latency_ms)),
      quorum ? fact(t('cluster.quorum'), t('cluster.quorum_of', { reachable: number(quorum.reachable), needed: number(quorum.needed) })) : [],
      fact(t('cluster.keys'), member.keys === null || member.keys === undefined ? null : number(member.keys)),
      fact(t('cluster.log'), member.log_bytes === null || member.log_bytes === undefined ? null : bytes(member.log_bytes)),
      fact(t('cluster.disk'), member.disk_free_bytes === null || member.disk_free_bytes === undefined ? null : bytes(member.disk_free_bytes)))
      : null,
    members?.length ? h('div', { class: 'peers', 'aria-label': t('cluster.sees') }, h('span', { class: 'muted' }, t('cluster.sees')), members.map((peer) => h('span', { class: 'peer', dataset: { reachable: String(peer.reachable) } }, peer.id))) : null);
}

function service(one) {
  return h('tr', { dataset: { service: one.name, state: one.state } },
    h('td', {}, h('strong', {}, one.name)),
    h('td', {}, serviceBadge(one.state), one.reasons?.length ? h('div', { class: 'reasons' }, one.reasons.join(', ')) : null),
    h('td', { class: 'right' }, one.latency_ms === null || one.latency_ms === undefined ? '–' : duration(one.latency_ms)),
    h('td', { class: 'muted mono' }, one.url));
}

startShell();
const live = new LiveStream(() => '/api/cluster/events', { cluster: draw }, (ok) => {
  if (!ok) {
    $('verdict').dataset.level = 'unknown';
    $('verdict-answer').textContent = t('cluster.unreachable');
  }
});
get('/api/cluster').then(draw).catch(() => {});
live.open();
