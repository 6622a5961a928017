// What every page has: icons, the sidebar that is a drawer on a phone, theme, language, keys.

import { $ } from './dom.js';
import { drawIcons } from './icons.js';
import { openThemeMenu, switchLanguage } from './theme.js';
import { shortcuts, showKeySheet } from './keys.js';

const narrow = matchMedia('(max-width: 800px)');
const root = document.body;

export function closeDrawer() { root.classList.remove('drawer-open'); }

function toggleSidebar() {
  if (narrow.matches) root.classList.toggle('drawer-open');
  else {
    const hidden = root.classList.toggle('sidebar-hidden');
    localStorage.setItem('parley.sidebar', hidden ? 'hidden' : 'shown');
  }
}

export function startShell(extraShortcuts = []) {
  drawIcons();
  if (localStorage.getItem('parley.sidebar') === 'hidden') root.classList.add('sidebar-hidden');
  $('sidebar-open').addEventListener('click', toggleSidebar);
  $('sidebar-close').addEventListener('click', toggleSidebar);
  $('scrim').addEventListener('click', closeDrawer);
  $('theme-switch').addEventListener('click', (event) => openThemeMenu(event.currentTarget));
  $('language-switch').addEventListener('click', switchLanguage);
  $('keyboard-help').addEventListener('click', showKeySheet);
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') closeDrawer(); });
  shortcuts([
    { key: '/', run: showKeySheet },
    { key: 'b', run: toggleSidebar },
    { key: 'o', shift: true, run: () => { location.href = '/'; } },
    ...extraShortcuts,
  ].reverse());
}
