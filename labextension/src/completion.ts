import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  ICompletionProviderManager,
  type CompletionHandler,
  type ICompletionContext,
  type ICompletionProvider
} from '@jupyterlab/completer';

import type { Link } from './link';
import { ILinks } from './links';
import { isPrompt, mentionBefore } from './prompt';

/** Completes the names of variables behind an `@`, also while the kernel is busy. */
class MentionProvider implements ICompletionProvider {
  readonly identifier = 'claude-magic:mentions';
  // Before the kernel's own, which waits while a cell is running.
  readonly rank = 1100;
  readonly renderer = null;

  constructor(private _links: ILinks) {}

  async isApplicable(context: ICompletionContext): Promise<boolean> {
    return this._link(context) !== null;
  }

  async fetch(
    request: CompletionHandler.IRequest,
    context: ICompletionContext
  ): Promise<CompletionHandler.ICompletionItemsReply> {
    const start = mentionBefore(request.text.slice(0, request.offset));
    const none = { start: request.offset, end: request.offset, items: [] };
    const link = this._link(context);
    if (start === null || link === null) {
      return none;
    }
    const { names } = await link.complete(start);
    return {
      start: request.offset - start.length,
      end: request.offset,
      items: names.map(label => ({ label, type: 'variable' }))
    };
  }

  shouldShowContinuousHint(
    visible: boolean,
    _changed: unknown,
    context?: ICompletionContext
  ): boolean {
    const editor = context?.editor;
    if (!editor || visible) {
      return false;
    }
    const offset = editor.getOffsetAt(editor.getCursorPosition());
    return mentionBefore(editor.model.sharedModel.getSource().slice(0, offset)) !== null;
  }

  private _link(context: ICompletionContext): Link | null {
    const source = context.editor?.model.sharedModel.getSource() ?? '';
    const link = this._links.current;
    const here = link !== null && link.panel === context.widget && link.state !== null;
    return here && isPrompt(source) ? link : null;
  }
}

export const completion: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:completion',
  description: 'Completes @name in %%claude cells.',
  autoStart: true,
  requires: [ILinks, ICompletionProviderManager],
  activate: (_, links: ILinks, manager: ICompletionProviderManager) => {
    manager.registerProvider(new MentionProvider(links));
  }
};
