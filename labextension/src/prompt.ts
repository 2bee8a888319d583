const PROMPT = /^\s*%%claude(_context)?(\s|$)/;
const MENTION = /(^|[^\p{L}\p{N}_@.])@([\p{L}\p{N}_]*)$/u;

/** Tell whether a cell's text is prose for Claude and not code. */
export function isPrompt(source: string): boolean {
  return PROMPT.test(source);
}

/** Return what a new prompt cell holds for a conversation. */
export function promptFor(session: string): string {
  return session === 'main' ? '%%claude\n' : `%%claude -s ${session}\n`;
}

/** Return the beginning of a name behind an `@` that ends a text; null where there is none. */
export function mentionBefore(text: string): string | null {
  return MENTION.exec(text)?.[2] ?? null;
}
