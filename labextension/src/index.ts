import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:commands',
  autoStart: true,
  activate: () => {
    console.log('claude-magic');
  }
};

export default [plugin];
