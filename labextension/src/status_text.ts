import { VERSION, type SessionView } from './wire';

/** What the status bar says of a kernel: a few words, and more where the pointer rests. */
export function statusText(link: {
  readonly session: SessionView | null;
  readonly version: string | null;
}): [string, string] {
  const view = link.session;
  if (view === null) {
    return ['not loaded', 'claude_magic is not loaded in this kernel. Click to load it.'];
  }
  // Who answers where it is not Claude is said all the time.
  const words = [view.state, view.name === 'main' ? '' : view.name, view.label];
  const lines = [view.reason || view.sentence, view.label, view.model];
  if (link.version !== VERSION) {
    lines.push(`The kernel has claude-magic ${link.version}, JupyterLab ${VERSION}.`);
  }
  return [words.filter(Boolean).join(' · '), lines.filter(Boolean).join('\n')];
}
