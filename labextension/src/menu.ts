import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import type { Link } from './link';

/** Open the menu of a notebook's conversations at a place of the page, in pixels. */
export function openMenu(commands: CommandRegistry, link: Link, x: number, y: number): void {
  const menu = new Menu({ commands });
  menu.addClass('jp-claude-menu');
  const add = (...ids: string[]) => ids.forEach(id => menu.addItem({ command: `claude-magic:${id}` }));
  const divide = () => menu.addItem({ type: 'separator' });
  if (link.state === null) {
    add('load', 'ask');
  } else {
    add('connect', 'disconnect', 'stop', 'reset');
    divide();
    if (link.state.sessions.length > 1) {
      for (const { name } of link.state.sessions) {
        menu.addItem({ command: 'claude-magic:switch', args: { session: name } });
      }
      divide();
    }
    add('ask', 'explain-error', 'status-panel', 'continue-last');
  }
  menu.aboutToClose.connect(() => {
    // The command that was chosen runs first.
    requestAnimationFrame(() => menu.dispose());
  });
  // It opens upwards where there is no room below.
  menu.open(x, y);
}
