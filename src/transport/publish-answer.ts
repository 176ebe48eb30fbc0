// What a stream answers to a message that is sent to it.
import type { Incoming } from './connection-words.js';

export type Answer = { readonly kind: 'stored' } | { readonly kind: 'later' | 'never'; readonly said: string };

/** What a stream answers when a message is wrong whoever sends it, and whenever. */
const NEVER = new Set([10054, 10049, 10097, 10060]);

export function answerOf(message: Incoming): Answer {
  // Nobody listens: no stream has this subject, or its leader is gone.
  if (message.data.byteLength === 0)
    return { kind: 'later', said: `no stream answers (${message.headers?.code ?? 'no status'})` };
  try {
    const text = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength).toString();
    const { error } = JSON.parse(text) as { error?: { err_code?: number; description?: string } };
    if (error === undefined || error === null) return { kind: 'stored' };
    const said = `${String(error.description).slice(0, 200)} (${error.err_code})`;
    return { kind: NEVER.has(error.err_code ?? 0) ? 'never' : 'later', said };
  } catch {
    return { kind: 'later', said: 'an answer that is no JSON' };
  }
}
