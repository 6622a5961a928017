// Theme and language are cookies, so that the server sends the page already looking right.

import { openMenu } from './dialog.js';
import { language, t } from './i18n.js';

const YEAR_S = 365 * 24 * 3600;

function remember(name, value) {
  document.cookie = `${name}=${value}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
}

export function openThemeMenu(button) {
  const current = document.documentElement.dataset.theme;
  const choice = (theme, label) => ({
    label,
    checked: current === theme,
    action: `theme-${theme}`,
    run: () => {
      document.documentElement.dataset.theme = theme;
      remember('parley_theme', theme);
    },
  });
  openMenu(button, [choice('system', t('theme.system')), choice('light', t('theme.light')), choice('dark', t('theme.dark'))]);
}

/** Drafts and running answers survive a reload, so a reload is all a new language takes. */
export function switchLanguage() {
  remember('parley_lang', language === 'zh' ? 'en' : 'zh');
  location.reload();
}
