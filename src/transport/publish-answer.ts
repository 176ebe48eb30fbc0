// What a stream answers to a message that is sent to it.
import type { Incoming } from './connection-words.js';

/** `unsure`: it has come before, and is not stored, or not yet, or nobody has subscribed to it. */
export type Answer =
  | { readonly kind: 'stored' | 'unsure' }
  | { readonly kind: 'later' | 'never'; readonly said: string };

/** What a stream answers when a message is wrong whoever sends it, and whenever. */
const NEVER = new Set([10054, 10049, 10097, 10060]);

/** Its first copy is on its way through the cluster: what servers from 2.10.21 on say instead of sequence 0. */
const IN_FLIGHT = 10158;

export function answerOf(message: Incoming): Answer {
  // Nobody listens: no stream has this subject, or its leader is gone.
  if (message.data.byteLength === 0)
    return { kind: 'later', said: `no stream answers (${message.headers?.code ?? 'no status'})` };
  try {
    const text = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength).toString();
    const { error, seq } = JSON.parse(text) as { error?: { err_code?: number; description?: string }; seq?: unknown };
    if (error === undefined || error === null)
      return { kind: typeof seq === 'number' && seq > 0 ? 'stored' : 'unsure' };
    if (error.err_code === IN_FLIGHT) return { kind: 'unsure' };
    const said = `${String(error.description).slice(0, 200)} (${error.err_code})`;
    return { kind: NEVER.has(error.err_code ?? 0) ? 'never' : 'later', said };
  } catch {
    return { kind: 'later', said: 'an answer that is no JSON' };
  }
}
