import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { ILinks } from './links';
import { VERSION } from './wire';

export const versions: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:versions',
  description: 'Says where a kernel has another version of claude-magic than JupyterLab.',
  autoStart: true,
  requires: [ILinks],
  activate: (_, links: ILinks) => {
    const said = new Set<string>();
    links.each(link =>
      link.changed.connect(() => {
        const version = link.version;
        if (version !== null && version !== VERSION && !said.has(version)) {
          said.add(version);
          Notification.warning(
            `A kernel has claude-magic ${version}, JupyterLab ${VERSION}: install the same version ` +
              'in both environments, or some buttons may fail.',
            { autoClose: false }
          );
        }
      })
    );
  }
};
