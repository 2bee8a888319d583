import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { hasComm, request } from './request';
import { TARGET, VERSION } from './wire';
import type {
  Act,
  CellsProposed,
  Completions,
  KernelState,
  OpenQuestion,
  SessionView,
  Settle,
  StateTold
} from './wire';

/** What is known of claude_magic in the kernel of one notebook, and the way to it. */
export class Link implements IDisposable {
  constructor(readonly panel: NotebookPanel) {
    const context = panel.sessionContext;
    context.kernelChanged.connect(this._onKernelChanged, this);
    context.statusChanged.connect(this._onStatus, this);
    context.connectionStatusChanged.connect(this._onConnection, this);
    panel.disposed.connect(this.dispose, this);
    void context.ready.then(() => this._follow(context.session?.kernel ?? null));
  }

  /** Emitted when anything here has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when Claude proposes cells for this notebook. */
  get proposed(): ISignal<this, CellsProposed> {
    return this._proposed;
  }

  /** Emitted when claude_magic is found in a kernel that was there before this page. */
  get found(): ISignal<this, void> {
    return this._found;
  }

  /** The kernel of the notebook; null where there is none. */
  get kernel(): Kernel.IKernelConnection | null {
    return this._kernel;
  }

  /** The kernel's conversations; null where claude_magic is not loaded. */
  get state(): KernelState | null {
    return this._state;
  }

  /** The version of claude_magic in the kernel; null where it is not loaded. */
  get version(): string | null {
    return this._version;
  }

  /** Whether the kernel runs Python. */
  get python(): boolean {
    return this._python;
  }

  /** The conversation that is shown; null where claude_magic is not loaded. */
  get session(): SessionView | null {
    const state = this._state;
    return state?.sessions.find(view => view.name === state.current) ?? null;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._kernel?.removeCommTarget(TARGET, this._onOpened);
    Signal.clearData(this);
  }

  /** Do something with a conversation, by default the one that is shown. */
  async act(what: Act['do'], session: string = this._state?.current ?? 'main'): Promise<void> {
    await request(this._connection, { do: what, session });
  }

  /** Return the names of variables that begin so. */
  async complete(text: string): Promise<Completions> {
    return request(this._connection, { do: 'complete', text });
  }

  /** Return the permission question that waits for an answer. */
  async question(): Promise<OpenQuestion> {
    return request(this._connection, { do: 'question' });
  }

  /** Take proposed cells; false where somebody else has them. */
  async take(proposal: string): Promise<boolean> {
    return request(this._connection, { do: 'take', proposal }).then(
      () => true,
      () => false
    );
  }

  /** Tell what became of a proposed cell; a kernel that has forgotten it need not know. */
  settle(told: Omit<Settle, 'do'>): void {
    if (this._kernel !== null && this._state !== null) {
      request(this._kernel, { do: 'settle', ...told }).catch(() => undefined);
    }
  }

  private get _connection(): Kernel.IKernelConnection {
    if (this._kernel === null || this._state === null) {
      throw new Error('claude_magic is not loaded in this kernel.');
    }
    return this._kernel;
  }

  private _onKernelChanged(
    _: unknown,
    change: { newValue: Kernel.IKernelConnection | null }
  ): void {
    this._follow(change.newValue);
  }

  private _onStatus(_: unknown, status: Kernel.Status): void {
    if (['restarting', 'autorestarting', 'dead', 'terminating'].includes(status)) {
      this._lose();
    }
  }

  private _onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      void this._look();
    }
  }

  private _follow(kernel: Kernel.IKernelConnection | null): void {
    if (this._disposed || kernel === this._kernel) {
      return;
    }
    this._kernel?.removeCommTarget(TARGET, this._onOpened);
    this._kernel = kernel;
    this._python = false;
    this._lose();
    if (kernel === null) {
      return;
    }
    kernel.registerCommTarget(TARGET, this._onOpened);
    void kernel.spec.then(spec => {
      if (kernel === this._kernel) {
        this._python = spec?.language.toLowerCase() === 'python';
        this._changed.emit();
      }
    });
    void this._look();
  }

  /** claude_magic was loaded into the kernel. */
  private _onOpened = (comm: Kernel.IComm): void => {
    this._listen(comm);
    this._greet().catch(() => undefined);
  };

  /** Look whether claude_magic is loaded, as it may be where the page is loaded anew. */
  private async _look(): Promise<void> {
    const kernel = this._kernel;
    if (kernel === null) {
      return;
    }
    try {
      if (await hasComm(kernel, TARGET)) {
        await this._greet();
        this._found.emit();
      }
    } catch {
      // A kernel that does not know of control messages does not know of us.
    }
  }

  private async _greet(): Promise<void> {
    const kernel = this._kernel;
    if (kernel === null) {
      return;
    }
    const greeting = await request(kernel, { do: 'hello', version: VERSION });
    if (kernel !== this._kernel || this._disposed) {
      return;
    }
    if (kernel.handleComms && !kernel.hasComm(greeting.comm)) {
      this._listen(kernel.createComm(TARGET, greeting.comm));
      // Nobody heard what was told since the kernel answered.
      return this._greet();
    }
    this._version = greeting.version;
    this._state = greeting.state;
    this._changed.emit();
  }

  private _listen(comm: Kernel.IComm): void {
    comm.onMsg = message => this._onMessage(message);
    comm.onClose = () => this._lose();
  }

  private _onMessage(message: KernelMessage.ICommMsgMsg): void {
    const told = message.content.data as unknown as StateTold | CellsProposed;
    if (told.told === 'state') {
      this._state = told.state;
      this._changed.emit();
    } else if (told.told === 'cells') {
      this._proposed.emit(told);
    }
  }

  private _lose(): void {
    this._state = null;
    this._version = null;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _found = new Signal<this, void>(this);
  private _proposed = new Signal<this, CellsProposed>(this);
  private _kernel: Kernel.IKernelConnection | null = null;
  private _state: KernelState | null = null;
  private _version: string | null = null;
  private _python = false;
  private _disposed = false;
}
