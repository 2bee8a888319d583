import { VERSION, type SessionView } from './wire';

/** What the status bar says of a kernel: a word, and more where the pointer rests. */
export function statusText(link: {
  readonly session: SessionView | null;
  readonly version: string | null;
}): [string, string] {
  const view = link.session;
  if (view === null) {
    return ['not loaded', 'claude_magic is not loaded in this kernel. Click to load it.'];
  }
  const name = view.name === 'main' ? '' : ` · ${view.name}`;
  const lines = [view.reason || view.sentence, view.label, view.model];
  if (link.version !== VERSION) {
    lines.push(`The kernel has claude-magic ${link.version}, JupyterLab ${VERSION}.`);
  }
  return [view.state + name, lines.filter(Boolean).join('\n')];
}
