// Texts and formats of the page's language. The catalogues are shared with the server's pages.

export const language = document.documentElement.dataset.lang;
const locale = language === 'zh' ? 'zh-CN' : 'en';
const texts = await (await fetch(`/assets/i18n/${language}.json`)).json();

/** The text of a key, with {name} places filled in. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

const integers = new Intl.NumberFormat(locale);
const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const precise = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 });
const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });

export const number = (value) => integers.format(value);
export const decimal = (value) => decimals.format(value);
export const percent = (value) => percents.format(value);

/** 320 ms, 1.2 s, 2 min 5 s */
export function duration(ms) {
  if (ms < 10) return t('unit.ms', { n: precise.format(ms) });
  if (ms < 1000) return t('unit.ms', { n: integers.format(Math.round(ms)) });
  if (ms < 60_000) return t('unit.s', { n: decimals.format(ms / 1000) });
  return t('unit.min_s', { m: Math.floor(ms / 60_000), s: Math.round((ms % 60_000) / 1000) });
}

export function bytes(count) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) { size /= 1000; unit++; }
  return `${decimals.format(size)} ${units[unit]}`;
}

/** "3 sec. ago"; coarse, since it is not redrawn every second. */
export function ago(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  if (seconds < 2) return t('unit.now');
  if (seconds < 60) return relative.format(-Math.round(seconds), 'second');
  if (seconds < 3600) return relative.format(-Math.round(seconds / 60), 'minute');
  if (seconds < 86_400) return relative.format(-Math.round(seconds / 3600), 'hour');
  return relative.format(-Math.round(seconds / 86_400), 'day');
}

export function clock(time) {
  return new Date(time).toLocaleTimeString(locale);
}

export function dateTime(time) {
  return new Date(time).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' });
}
