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
  'partly-stopped': 'cluster.partly_stopped',
};

// From well to worst; what a group counts, and how it is called.
const PARTS = [
  ['good', 'cluster.part_good'],
  ['fewer_copies', 'cluster.part_fewer'],
  ['without_spare', 'cluster.part_edge'],
  ['stopped', 'cluster.part_stopped'],
];

function draw(overview) {
  const { answer, kv, services, groups, change, at } = overview;
  const up = kv.filter((node) => node.reachable);
  const silent = kv.filter((node) => !node.reachable).map((node) => node.node_id).join(', ');
  const key = REASONS[answer.reason];
  const sentence = key ? t(key, { up: number(up.length), n: number(kv.length), copies: number(answer.copies), silent }) : answer.sentence;
  $('verdict').dataset.level = answer.level;
  // Written only when it changes, so that a screen reader hears news and not a clock.
  if ($('verdict-answer').textContent !== sentence) $('verdict-answer').textContent = sentence;
  $('verdict-when').textContent = t('cluster.checked', { time: clock(at) });
  const risks = [...new Set(kv.flatMap((node) => node.at_risk ?? []))];
  $('risks').hidden = risks.length === 0;
  $('risk-list').replaceChildren(...risks.map((risk) => h('li', {}, risk)));
  $('partitions').hidden = !groups?.length;
  $('groups').replaceChildren(...(groups ?? []).map((one) => group(one, groups)));
  $('change').replaceChildren(...(change ? [moving(change)] : []));
  $('nodes').replaceChildren(...kv.map(node));
  $('services').replaceChildren(
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('cluster.service')), h('th', { scope: 'col' }, t('cluster.state')), h('th', { scope: 'col', class: 'right' }, t('cluster.latency')), h('th', { scope: 'col' }, t('cluster.address')))),
    h('tbody', {}, services.map(service)));
}

function group(one, all) {
  const counts = { ...one, good: one.partitions - one.fewer_copies - one.without_spare - one.stopped };
  const parts = PARTS.filter(([part]) => counts[part] > 0).map(([part, label]) => {
    const count = t('cluster.part_count', { n: number(counts[part]), all: number(one.partitions) });
    const piece = h('span', { class: 'part', dataset: { part } });
    piece.style.flexGrow = counts[part];
    return { piece, text: `${t(label)}: ${count}`, legend: h('span', { class: 'part-legend', dataset: { part } }, `${t(label)}: ${count}`) };
  });
  const holds = one.keyspaces.length ? one.keyspaces.join(', ') : t('cluster.group_rest');
  return h('div', { class: 'group', dataset: { group: one.name } },
    all.length > 1 ? h('div', { class: 'group-head' }, h('b', {}, one.name), ' ', h('span', { class: 'muted' }, holds)) : null,
    h('div', { class: 'parts', role: 'img', 'aria-label': parts.map((part) => part.text).join('; ') }, parts.map((part) => part.piece)),
    h('div', { class: 'part-legends', 'aria-hidden': 'true' }, parts.map((part) => part.legend)));
}

function moving(change) {
  const known = change.driven_here && change.partitions > 0;
  return h('p', { class: 'moving' }, t('cluster.moving'),
    known ? [h('progress', { max: change.partitions, value: change.partitions_done, 'aria-label': t('cluster.moving') }),
      h('span', { class: 'muted' }, t('cluster.moved', { done: number(change.partitions_done), n: number(change.partitions) }))] : null);
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
