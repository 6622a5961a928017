// Line icons on a 24 by 24 grid, drawn for this project.

const PATHS = {
  sidebar: 'M4 5.5h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1z M9 5.500v13',
  compose: 'M12 5H6a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-6 M18.400 3.600a1.400 1.400 0 0 1 2 2L12 14l-3 1 1-3z',
  search: 'M10.500 4a6.500 6.500 0 1 0 0 13a6.500 6.500 0 0 0 0-13z M15.500 15.500L20 20',
  chat: 'M5 5h14a1.500 1.500 0 0 1 1.500 1.500v9A1.500 1.500 0 0 1 19 17h-7l-4.500 3.500V17H5a1.500 1.500 0 0 1-1.500-1.500v-9A1.500 1.500 0 0 1 5 5z',
  server: 'M4.500 4.500h15v6h-15z M4.500 13.500h15v6h-15z M8 7.500h.01 M8 16.500h.01 M12 7.500h4 M12 16.500h4',
  cluster: 'M12 3.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5z M5.500 15a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5z M18.500 15a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5z M10.700 8.200L6.800 15.300 M13.300 8.200l3.900 7.100 M8 17.500h8',
  theme: 'M12 3.500a8.500 8.500 0 1 0 0 17a8.500 8.500 0 0 0 0-17z M12 3.500v17 M12 8h5.500 M12 12h6.500 M12 16h5.500',
  language: 'M4 6h9 M8.500 4v2 M11 6c-.8 4-3.300 6.800-6.500 8.500 M6 9c1.200 2.400 3 4 5.500 5 M12.500 20l4-9.500l4 9.500 M13.800 17h5.400',
  keyboard: 'M3.500 7h17v10h-17z M7 10.300h.01 M10.300 10.300h.01 M13.700 10.300h.01 M17 10.300h.01 M8 13.800h8',
  chevron: 'M6.500 9.500L12 15l5.500-5.500',
  sliders: 'M4 8h8 M17 8h3 M14.500 5.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5z M4 16h3 M12 16h8 M9.500 13.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 0 0 0-5z',
  down: 'M12 5v14 M6 13l6 6l6-6',
  send: 'M12 19V5 M6 11l6-6l6 6',
  stop: 'M8 7h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1z',
  copy: 'M9 9h10.500v10.500H9z M15 9V4.500H4.500V15H9',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  retry: 'M19.500 12a7.500 7.500 0 1 1-2.300-5.400 M19.500 4v4h-4',
  edit: 'M16 4.500l3.500 3.500L8.500 19l-4.500 1l1-4.500z M13.500 7l3.500 3.500',
  trash: 'M4.500 7h15 M9.500 7V4.500h5V7 M6.500 7l.8 12.500h9.400L17.500 7 M10.300 10.500v5.500 M13.700 10.500v5.500',
  pin: 'M9 4h6l-.8 6l3.300 3.500v1.500h-11v-1.500L9.800 10z M12 15v5.500',
  more: 'M6 12h.01 M12 12h.01 M18 12h.01',
  plus: 'M12 5v14 M5 12h14',
  close: 'M6 6l12 12 M18 6L6 18',
  warning: 'M12 4l9 15.500H3z M12 10v4 M12 16.700h.01',
  info: 'M12 3.500a8.500 8.500 0 1 0 0 17a8.500 8.500 0 0 0 0-17z M12 11v5 M12 8h.01',
  takeover: 'M4 8h9a4 4 0 0 1 4 4v5 M13.500 13.500L17 17l3.500-3.500 M4 16h4',
  image: 'M4 5h16v14H4z M4 16l4.500-4.500L13 16l3-3l4 4 M15.500 9h.01',
  play: 'M8 5.500v13l10.500-6.500z',
  pause: 'M8.500 6v12 M15.500 6v12',
  drain: 'M12 3.500c3 4 5.500 6.600 5.500 10a5.500 5.500 0 0 1-11 0c0-3.400 2.500-6 5.500-10z M9 14.500h6',
  chain: 'M10 14a4 4 0 0 0 5.700 0l3-3A4 4 0 0 0 13 5.300l-1 1 M14 10a4 4 0 0 0-5.700 0l-3 3A4 4 0 0 0 11 18.700l1-1',
  spark: 'M12 3.500l2 6.500l6.500 2l-6.500 2l-2 6.500l-2-6.500l-6.500-2l6.500-2z',
  count: 'M9.500 4L7.500 20 M16.500 4l-2 16 M4.500 9h16 M3.500 15h16',
  shield: 'M12 3.500l7.500 2.500v6c0 4.500-3 7.500-7.500 9c-4.500-1.500-7.500-4.500-7.500-9V6z M8.500 12l2.500 2.500l4.500-5',
};

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/** Draws the icons that the page's HTML only names. */
export function drawIcons(root = document) {
  for (const place of root.querySelectorAll('[data-icon]')) {
    if (!place.querySelector('svg')) place.prepend(icon(place.dataset.icon));
  }
}
