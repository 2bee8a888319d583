/** The question's front end, which the kernel sends to the widget, too. */
declare module '*/permission_question.js' {
  import type { Kernel } from '@jupyterlab/services';

  interface Model {
    get(name: 'shown'): unknown;
    widget_manager: { kernel: Kernel.IKernelConnection | null };
  }

  const view: { render(of: { model: Model; el: HTMLElement }): () => void };
  export default view;
}
