import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { possible, unbegun } from './actions';
import { askIcon, menuIcon, stopIcon } from './icons';
import type { Link } from './link';
import { ILinks } from './links';
import { openMenu } from './menu';
import { findCell, insertBelow, runBelow } from './notebooks';
import { promptFor } from './prompt';
import { focusQuestion } from './question';
import type { Act } from './wire';

const CATEGORY = 'Claude';
const ABOUT = / (to|from|with) Claude|^Claude /;
const LOAD = '%load_ext claude_magic';
const NOT_LOADED = 'claude_magic is not loaded in this kernel.';

export namespace CommandIds {
  export const ask = 'claude-magic:ask';
  export const explain = 'claude-magic:explain-error';
  export const panel = 'claude-magic:status-panel';
  export const continueLast = 'claude-magic:continue-last';
  export const stop = 'claude-magic:stop';
  export const connect = 'claude-magic:connect';
  export const disconnect = 'claude-magic:disconnect';
  export const reset = 'claude-magic:reset';
  export const switchTo = 'claude-magic:switch';
  export const load = 'claude-magic:load';
  export const menu = 'claude-magic:menu';
  export const question = 'claude-magic:question';
}

export const commands: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:commands',
  description: 'Commands and toolbar buttons that talk to Claude.',
  autoStart: true,
  requires: [ILinks],
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, links: ILinks, palette: ICommandPalette | null) => {
    const registry = app.commands;
    for (const [id, options] of Object.entries(allCommands(registry, links))) {
      registry.addCommand(id, options);
    }
    for (const id of Object.values(CommandIds)) {
      if (id !== CommandIds.switchTo && id !== CommandIds.menu) {
        palette?.addItem({ command: id, category: CATEGORY, args: { isPalette: true } });
      }
    }
    links.changed.connect(() => registry.notifyCommandChanged());
  }
};

function allCommands(
  registry: CommandRegistry,
  links: ILinks
): Record<string, CommandRegistry.ICommandOptions> {
  const python = () => links.current?.python ?? false;
  const loaded = () => links.current !== null && links.current.state !== null;
  const session = () => links.current?.session ?? null;

  /** A command that runs with the link of the notebook in front, and says what went wrong. */
  function command(
    label: string,
    caption: string,
    isEnabled: () => boolean,
    execute: (link: Link, args: { session?: string }) => Promise<unknown>,
    more: Partial<CommandRegistry.ICommandOptions> = {}
  ): CommandRegistry.ICommandOptions {
    return {
      // In our menu, which is all about Claude, its name would be noise.
      label: args => (args['isPalette'] ? label : label.replace(ABOUT, '')),
      caption: () => (loaded() || !python() ? caption : `${caption} ${NOT_LOADED}`),
      isEnabled,
      execute: async args => {
        const link = links.current;
        if (link === null) {
          return;
        }
        try {
          await execute(link, args as { session?: string });
        } catch (error) {
          complain(error instanceof Error ? error.message : String(error));
        }
      },
      ...more
    };
  }

  function act(
    what: Act['do'],
    label: string,
    caption: string,
    more: Partial<CommandRegistry.ICommandOptions> = {}
  ): CommandRegistry.ICommandOptions {
    return command(label, caption, () => possible(what, session()), link => link.act(what), more);
  }

  return {
    [CommandIds.ask]: command(
      'Ask Claude',
      'Insert a cell to talk to Claude.',
      python,
      async link => {
        if (link.state !== null || (await load(link))) {
          const cell = insertBelow(link.panel, null, promptFor(link.state?.current ?? 'main'));
          await cell?.ready;
          cell?.editor?.setCursorPosition({ line: 1, column: 0 });
          link.panel.content.mode = 'edit';
        }
      },
      { icon: askIcon }
    ),
    [CommandIds.explain]: command(
      'Explain Error with Claude',
      'Have Claude explain the cell that failed last, and correct it.',
      () => Boolean(links.current?.state?.failed),
      async link => {
        const failed = link.state?.failed ?? null;
        const cell = failed === null ? null : findCell(link.panel, failed);
        await runBelow(link.panel, cell, '%claude_fix');
      }
    ),
    [CommandIds.panel]: command(
      'Claude Status Panel',
      'Insert a live view of the conversations.',
      loaded,
      link => runBelow(link.panel, null, '%claude_status')
    ),
    [CommandIds.continueLast]: command(
      'Continue Last Conversation with Claude',
      "Go on with this notebook's last conversation, where an earlier kernel stopped.",
      () => unbegun(session()),
      link => runBelow(link.panel, null, '%claude_connect --last')
    ),
    [CommandIds.stop]: act('stop', 'Stop Claude', 'Stop the answer; what was said stays.', {
      icon: stopIcon
    }),
    [CommandIds.connect]: act('connect', 'Connect to Claude', 'Start Claude Code.'),
    [CommandIds.disconnect]: act(
      'disconnect',
      'Disconnect from Claude',
      'Close the process and keep the conversation.'
    ),
    [CommandIds.reset]: command(
      'Reset Conversation with Claude…',
      'End the conversation and start a new one.',
      () => possible('reset', session()),
      async link => {
        const view = link.session;
        if (view !== null && (view.turns === 0 || (await confirmed(view.turns)))) {
          await link.act('reset', view.name);
        }
      }
    ),
    [CommandIds.switchTo]: command(
      'Switch Conversation with Claude',
      'Show another conversation, and talk to it in new cells.',
      loaded,
      (link, args) => link.act('switch', args.session),
      {
        label: args => String(args['session'] ?? 'Switch Conversation with Claude'),
        isToggled: args => args['session'] === session()?.name
      }
    ),
    [CommandIds.question]: command(
      'Go to the Permission Request of Claude',
      'Put the focus into the open permission request.',
      () => Boolean(links.current?.state?.question),
      async link => focusQuestion(link)
    ),
    [CommandIds.load]: command(
      'Load claude_magic in this Kernel',
      'Run %load_ext claude_magic.',
      () => python() && !loaded(),
      load
    ),
    [CommandIds.menu]: {
      caption: 'Claude: connect, stop, reset, …',
      icon: menuIcon,
      isEnabled: python,
      execute: () => {
        const name = CSS.escape('claude-menu');
        const button = links.current?.panel.toolbar.node.querySelector(
          `[data-jp-item-name="${name}"]`
        );
        if (links.current !== null && button) {
          const { left, bottom } = button.getBoundingClientRect();
          openMenu(registry, links.current, left, bottom);
        }
      }
    }
  };
}

/** Say what went wrong, where it is seen. JupyterLab cuts a message at 140 characters. */
function complain(text: string): void {
  // Without a time it would only be counted in the status bar.
  Notification.error(text, { autoClose: false });
}

/** Load claude_magic into a kernel; returns whether it is there. */
async function load(link: Link): Promise<boolean> {
  const failure = await runBelow(link.panel, null, LOAD);
  if (failure !== null) {
    complain(
      failure === 'ModuleNotFoundError'
        ? "claude-magic is missing in the kernel's environment, which need not be JupyterLab's. " +
            'There: %pip install claude-magic'
        : 'claude_magic was not loaded into this kernel; the cell tells why.'
    );
  }
  return failure === null;
}

async function confirmed(turns: number): Promise<boolean> {
  const answer = await showDialog({
    title: 'Reset the conversation?',
    body: `Claude forgets all of it: ${turns} ${turns === 1 ? 'answer' : 'answers'} so far.`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Reset' })]
  });
  return answer.button.accept;
}
