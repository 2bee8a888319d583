import { DOMWidgetModel, DOMWidgetView, IJupyterWidgetRegistry } from '@jupyter-widgets/base';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { Kernel } from '@jupyterlab/services';

import { PanelCard, type PanelRequest, type PanelWays } from './panel_card';
import { ask } from './request';

/** As `claude_magic/widgets/status_panel.py` has it; a test holds both equal. */
const MODULE = '_claude-magic';
const MODULE_VERSION = '1.0.0';

export const panel: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:panel',
  description: 'Shows the status panel of a kernel.',
  autoStart: true,
  optional: [IJupyterWidgetRegistry],
  activate: (_: JupyterFrontEnd, registry: IJupyterWidgetRegistry | null) => {
    registry?.registerWidget({
      name: MODULE,
      version: MODULE_VERSION,
      exports: { StatusPanelModel, StatusPanelView }
    });
  }
};

/** The panel's contents, which only the kernel sets. */
class StatusPanelModel extends DOMWidgetModel {
  override defaults(): Record<string, unknown> {
    return {
      ...super.defaults(),
      _model_name: 'StatusPanelModel',
      _model_module: MODULE,
      _model_module_version: MODULE_VERSION,
      _view_name: 'StatusPanelView',
      _view_module: MODULE,
      _view_module_version: MODULE_VERSION,
      shown: {}
    };
  }
}

/** A view of the panel. The model's state may come from a notebook that somebody sent. */
class StatusPanelView extends DOMWidgetView {
  override render(): void {
    super.render();
    const card = new PanelCard(this.el as HTMLElement, this._ways());
    this._card = card;
    this.listenTo(this.model, 'change:shown', () => card.follow());
    // ipywidgets tells of it after the first rendering only when a restart ends the comm.
    this.listenTo(this.model, 'comm_live_update', () => card.leave());
  }

  override remove(): unknown {
    this._card?.dispose();
    return super.remove();
  }

  private _ways(): PanelWays {
    const { model } = this;
    const contents = () => model.get('shown') as unknown;
    return {
      // A comm is opened by the kernel, or found in it; saved state has none.
      live: model.comm_live && model.comm !== undefined,
      contents,
      byControl: async (address, request) => {
        const manager = model.widget_manager as { kernel?: Kernel.IKernelConnection | null };
        if (!manager.kernel) {
          throw new Error('There is no kernel.');
        }
        return (await ask(manager.kernel, address, request))['shown'];
      },
      byComm: request => this._askByComm(request)
    };
  }

  private _askByComm(request: PanelRequest): Promise<unknown> {
    const { model } = this;
    // Every page hears the replies to every other one.
    const id = crypto.getRandomValues(new Uint32Array(4)).join('-');
    return new Promise((resolve, reject) => {
      const hear = (reply: Record<string, unknown>) => {
        if (reply['answers'] !== id) {
          return;
        }
        model.off('msg:custom', hear);
        if (reply['status'] === 'ok') {
          resolve(reply['shown']);
        } else {
          reject(new Error(String(reply['reason'])));
        }
      };
      model.on('msg:custom', hear);
      model.send({ ...request, id }, {});
    });
  }

  private _card: PanelCard | null = null;
}
